import Batches
import CoordKit
import Postgres
import Testing

@testable import Compute

/// Arrays as PostgreSQL itself writes and reads them.
struct JSONArrayTests {
    struct Case: Sendable, CustomTestStringConvertible {
        /// The type, as SQL.
        var type: String
        var element: UInt32
        /// The array, as SQL.
        var sql: String
        var json: String
        var delimiter: UInt8 = 44
        var testDescription: String { "\(type) \(sql)" }

        init(_ type: String, _ element: UInt32, _ sql: String, _ json: String, delimiter: UInt8 = 44) {
            self.type = type
            self.element = element
            self.sql = sql
            self.json = json
            self.delimiter = delimiter
        }

        var form: JSONLine.Form {
            .of(ValueType(base: 1, name: type, element: element, delimiter: delimiter))
        }
    }

    static func toJSON(_ text: String, _ form: JSONLine.Form) -> String { JSONLineTests.encode(text, as: form) }

    static func toLiteral(_ json: String, _ form: JSONLine.Form) throws -> String {
        var output: [UInt8] = []
        try Array(json.utf8).withUnsafeBytes {
            try JSONLine.appendLiteral(of: $0, form: form, delimiter: form.delimiter ?? 44, to: &output)
        }
        return String(decoding: output, as: UTF8.self)
    }

    static let text: [Case] = [
        Case("text[]", 25, "ARRAY['a','b c']", #"["a","b c"]"#), Case("text[]", 25, "'{}'", "[]"),
        Case("text[]", 25, "ARRAY['NULL',NULL,'null','']", #"["NULL",null,"null",""]"#),
        Case(
            "text[]", 25, #"ARRAY['"','\','a"b\c',',','{','}','{a,b}']"#, #"["\"","\\","a\"b\\c",",","{","}","{a,b}"]"#),
        Case("text[]", 25, "ARRAY[E'\\n\\t',' x ','é漢😀',E'\\u2028']", #"["\n\t"," x ","é漢😀","\u2028"]"#),
        Case("text[]", 25, "ARRAY[['a','b'],['c',NULL]]", #"[["a","b"],["c",null]]"#),
        Case("varchar(5)[]", 1043, "ARRAY['1','x']", #"["1","x"]"#),
        Case("date[]", 1082, "ARRAY['2026-01-31','infinity']::date[]", #"["2026-01-31","infinity"]"#),
        Case(
            "box[]", 603, "ARRAY['(1,1),(0,0)','(2,2),(1,1)']::box[]", #"["(1,1),(0,0)","(2,2),(1,1)"]"#, delimiter: 59),
        Case("int4range[]", 3904, "ARRAY['[1,3)','empty']::int4range[]", #"["[1,3)","empty"]"#),
        Case("bytea[]", 17, #"ARRAY['\x00ff']::bytea[]"#, #"["\\x00ff"]"#),
    ]

    static let others: [Case] = [
        Case("int[]", 23, "ARRAY[1,-2,NULL]", "[1,-2,null]"), Case("int[]", 23, "ARRAY[[1,2],[3,4]]", "[[1,2],[3,4]]"),
        Case("int[]", 23, "ARRAY[[[1]],[[2]]]", "[[[1]],[[2]]]"),
        Case("int[]", 23, "'[0:2]={1,2,3}'", #""[0:2]={1,2,3}""#),
        Case("int[]", 23, "'[2:3][0:0]={{1},{2}}'", #""[2:3][0:0]={{1},{2}}""#),
        Case("bigint[]", 20, "ARRAY[9223372036854775807]", "[9223372036854775807]"),
        Case("numeric[]", 1700, "ARRAY[1.50,'NaN','-Infinity']::numeric[]", #"[1.50,"NaN","-Infinity"]"#),
        Case("float8[]", 701, "ARRAY[0.1,1e300,'Infinity']::float8[]", #"[0.1,1e+300,"Infinity"]"#),
        Case("bool[]", 16, "ARRAY[true,false,NULL]", "[true,false,null]"),
        Case(
            "uuid[]", 2950, "ARRAY['6f9b2a00-1122-4344-8566-778899aabbcc']::uuid[]",
            #"["6f9b2a00-1122-4344-8566-778899aabbcc"]"#),
        Case(
            "jsonb[]", 3802, #"ARRAY['{"a": "x\"y"}','[1, 2]','"s"','3',NULL]::jsonb[]"#,
            #"[{"a": "x\"y"},[1, 2],"s",3,null]"#),
        Case("json[]", 114, "ARRAY[ARRAY['1'::json],ARRAY['[2]'::json]]", #""{{1},{[2]}}""#),
    ]

    @Test(arguments: text + others)
    func anArrayComesBackAsItWas(array: Case) throws {
        let connection = try PostgresConnection(.init(applicationName: "coord test"))
        var array = array
        if array.type == "numeric[]", connection.serverVersion < 140_000 {
            // Before PostgreSQL 14 no numeric is infinite.
            array.sql = array.sql.replacing(",'-Infinity'", with: "")
            array.json = array.json.replacing(#","-Infinity""#, with: "")
        }
        let sent = try #require(try connection.execute("SELECT (\(array.sql))::\(array.type)::text").text(0, 0))
        let json = Self.toJSON(sent, array.form)
        #expect(json == array.json)
        // An array that goes as a string comes back unchanged.
        guard json.hasPrefix("[") else { return }
        let literal = try Self.toLiteral(json, array.form)
        let same = try connection.execute("SELECT $1::\(array.type)::text = $2", [literal, sent])
        #expect(same.bool(0, 0) == true, "\(literal) is not \(sent)")
    }

    @Test func whiteSpaceBetweenElementsIsNoPartOfThem() throws {
        let form = JSONLine.Form(scalar: .text, delimiter: 44)
        #expect(try Self.toLiteral(#"[ "a" , null ]"#, form) == #"{"a",NULL}"#)
        #expect(try Self.toLiteral("[ ]", form) == "{}")
    }

    @Test func anArrayOfJSONHasOneDimensionAndAnyElements() throws {
        let form = JSONLine.Form(scalar: .json, delimiter: 44)
        #expect(
            try Self.toLiteral(#"[[1,2],{"a":"\n"},"x",true]"#, form) == #"{"[1,2]","{\"a\":\"\\n\"}","\"x\"","true"}"#)
    }

    @Test(arguments: [
        (JSONLine.Form.Scalar.integer, "[1,true]", "true or false"), (.integer, "[1.5]", "a number"),
        (.integer, #"["x"]"#, "a string"), (.text, #"[{"a":1}]"#, "an object"), (.boolean, "[1]", "a number"),
        (.text, #"["\u0000"]"#, "cannot be text"), (.integer, "[[[[[[[1]]]]]]]", "6 dimensions"),
    ])
    func anElementThatIsNoneOfTheTypeIsRefused(scalar: JSONLine.Form.Scalar, json: String, words: String) {
        let fault = #expect(throws: JSONLine.Fault.self) {
            try Self.toLiteral(json, JSONLine.Form(scalar: scalar, delimiter: 44))
        }
        #expect(fault?.reason.contains(words) == true, "\(fault?.reason ?? "")")
    }

    /// An answer for an array: a JSON array, or the text form as a string.
    @Test func anAnswerForAnArrayIsAnArrayOrAString() throws {
        for (answer, text) in ["[1,null]": "{1,NULL}", #""[0:1]={1,2}""#: "[0:1]={1,2}", "null": nil] {
            var collector = AnswerCollectorTests.collector(["1"], form: .integer, type: "integer[]", delimiter: 44)
            try AnswerCollectorTests.add("{\"id\":1,\"v\":\(answer)}", to: &collector)
            #expect(collector.finish().text(row: 0, column: 0) == text)
        }
        for answer in ["1", "true", #"{"a":1}"#, "[1.5]"] {
            var collector = AnswerCollectorTests.collector(["1"], form: .integer, type: "integer[]", delimiter: 44)
            let fault = #expect(throws: AnswerFault.self) {
                try AnswerCollectorTests.add("{\"id\":1,\"v\":\(answer)}", to: &collector)
            }
            #expect(fault?.reason.hasPrefix("column v of type integer[]: ") == true)
        }
    }

    @Test func numbersInArraysAreStringsWhereTheJobSaysSo() {
        let form = JSONLine.Form(scalar: .numeric, delimiter: 44, quotesNumbers: true)
        #expect(Self.toJSON("{1.50,NULL}", form) == #"["1.50",null]"#)
    }

    /// A text that no server would write goes as a string, and nothing traps.
    @Test(arguments: ["", "{", "{\"", "{\"\\", "{a", "}", "{}}", "{{}", "1 2 3", "{\"a\\\"}"])
    func whatIsNoArrayIsAString(text: String) {
        let form = JSONLine.Form(scalar: .text, delimiter: 44)
        #expect(Self.toJSON(text, form) == JSONLineTests.encode(text, .text))
    }
}
