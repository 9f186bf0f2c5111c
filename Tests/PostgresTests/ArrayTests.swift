import Postgres
import Sharding
import Support
import Testing

@Suite struct ArrayTests {
    struct Literal: Sendable, CustomTestStringConvertible {
        let text: String
        let elements: [String?]?
        init(_ text: String, _ elements: [String?]?) {
            self.text = text
            self.elements = elements
        }
        var testDescription: String { text.debugDescription }
    }

    @Test(arguments: [
        Literal("{}", []),
        Literal("{a}", ["a"]),
        Literal("{a,b}", ["a", "b"]),
        Literal("{1,NULL,3}", ["1", nil, "3"]),
        Literal(#"{"NULL"}"#, ["NULL"]),
        Literal(#"{""}"#, [""]),
        Literal(#"{"",""}"#, ["", ""]),
        Literal(#"{"a b","c,d","{e}"}"#, ["a b", "c,d", "{e}"]),
        Literal(#"{"a\"b","c\\d"}"#, [#"a"b"#, #"c\d"#]),
        Literal("{\"a\nb\"}", ["a\nb"]),
        Literal("{ä,\u{1F600}}", ["ä", "\u{1F600}"]),
        Literal("", nil), Literal("a", nil), Literal("{", nil), Literal("{a", nil), Literal("{a,", nil),
        Literal(#"{"a"#, nil), Literal(#"{"a\"#, nil), Literal("[0:1]={a,b}", nil),
    ])
    func literalsAreReadAsTheServerWritesThem(_ literal: Literal) {
        #expect(PostgresArray.parse(literal.text) == literal.elements)
    }

    @Test(arguments: ["{{a,b},{c,d}}", "{{}}", "{a}b"])
    func whatIsNoArrayOfOneDimensionIsRefused(_ text: String) {
        #expect(PostgresArray.parse(text) == nil)
    }

    @Test(.database) func nastyTextsSurviveTheWayThroughTheServer() throws {
        let connection = try TestDatabase.current.connect()
        var texts: [String?] = [
            nil, "", " ", "NULL", "null", "Null", "\\", "\"", "\\\"", "{", "}", ",", "{}", "{,}", "a b", " a ", "\t",
            "\r\n", "\u{0B}", "\u{A0}", "'", "''", "$1", "--", "\u{1}", "\u{7F}", "e\u{301}", "é", "👩‍👩‍👧", "\u{FEFF}",
            "\\x41", "\\\\\\", "\"\"\"", "x\\", "\\NULL",
        ]
        texts += [String(repeating: "\\\"{,", count: 5000)]
        var parameters = PostgresParameters()
        parameters.beginArray(elementType: 25)
        for text in texts {
            if let text {
                Array(text.utf8).withUnsafeBytes { parameters.appendElement($0) }
            } else {
                parameters.appendNullElement()
            }
        }
        parameters.endArray()
        let result = try connection.executePrepared("echo", "SELECT $1::text[]", parameters)
        let literal = try #require(result.text(0, 0))
        let back = try #require(PostgresArray.parse(literal))
        // The texts are compared as scalars, since Swift calls e + accent and é equal.
        #expect(back.map { $0.map { Array($0.unicodeScalars) } } == texts.map { $0.map { Array($0.unicodeScalars) } })
    }
}
