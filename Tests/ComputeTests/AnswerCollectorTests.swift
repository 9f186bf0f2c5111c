import Batches
import CoordKit
import Sharding
import Testing

@testable import Compute

struct AnswerCollectorTests {
    static func collector(
        _ keys: [String], writes: [String] = ["v"], form: JSONLine.Form.Scalar = .text, type: String = "text",
        delimiter: UInt8? = nil
    ) -> AnswerCollector {
        collector(
            keys: keys.map { [$0] }, TransformTests.key, writes: writes, form: form, type: type, delimiter: delimiter)
    }

    static func collector(
        keys: [[String]], _ key: KeySchema, writes: [String] = ["v"], form: JSONLine.Form.Scalar = .text,
        type: String = "text", delimiter: UInt8? = nil
    ) -> AnswerCollector {
        var batch = RowBatch(columns: key.count + 1)
        for key in keys {
            for component in key { batch.append(component) }
            batch.append("100")
        }
        let columns = writes.map {
            AnswerColumn(name: $0, typeName: type, form: .init(scalar: form, delimiter: delimiter))
        }
        return AnswerCollector(batch: batch, columns: columns, key: key, lostDigits: LostDigits(key: key, sources: []))
    }

    static func add(_ line: String, to collector: inout AnswerCollector) throws {
        try Array(line.utf8).withUnsafeBytes { try collector.add($0) }
    }

    @Test(arguments: [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]])
    func answersInAnyOrderComeOutInTheBatchsOrder(order: [Int]) throws {
        var collector = Self.collector(["10", "20", "30"])
        for index in order { try Self.add("{\"id\":\(10 * (index + 1)),\"v\":\"v\(index)\"}", to: &collector) }
        #expect(collector.missing == 0)
        let values = collector.finish()
        #expect((0..<3).map { values.text(row: $0, column: 0) } == ["v0", "v1", "v2"])
    }

    @Test func textKeysMatchWithAndWithoutEscapes() throws {
        var collector = Self.collector(["é\"x", "plain", ""])
        try Self.add(#"{"v":1,"id":"plain"}"#, to: &collector)
        try Self.add(#"{"id":"\u00e9\"x","v":null}"#, to: &collector)
        try Self.add(#"{"id":"","v":"{}"}"#, to: &collector)
        let values = collector.finish()
        #expect(values.text(row: 0, column: 0) == nil)
        #expect(values.text(row: 1, column: 0) == "1")
        #expect(values.text(row: 2, column: 0) == "{}")
    }

    @Test func severalColumnsMayComeInAnyOrderWithMembersThatAreNotAskedFor() throws {
        var collector = Self.collector(["1"], writes: ["a", "b"])
        try Self.add(#"{"extra":[1,2],"b":"B","id":1,"a":"A","field9":null}"#, to: &collector)
        let values = collector.finish()
        #expect(values.text(row: 0, column: 0) == "A")
        #expect(values.text(row: 0, column: 1) == "B")
    }

    @Test func aStringForAJSONColumnStaysJSON() throws {
        var collector = Self.collector(["1", "2"], form: .json)
        try Self.add(#"{"id":1,"v":"123"}"#, to: &collector)
        try Self.add(#"{"id":2,"v":{"a":"b"}}"#, to: &collector)
        let values = collector.finish()
        #expect(values.text(row: 0, column: 0) == "\"123\"")
        #expect(values.text(row: 1, column: 0) == #"{"a":"b"}"#)
    }

    @Test func namesWithEscapesAreTheSameNames() throws {
        var collector = Self.collector(["1"], writes: ["prénom"])
        try Self.add(#"{"id":1,"pr\u00e9nom":"x"}"#, to: &collector)
        #expect(collector.finish().text(row: 0, column: 0) == "x")
    }

    @Test(arguments: [
        (#"{"v":1}"#, "key id is missing"), (#"{"id":99,"v":1}"#, "none that the program was given"),
        (#"{"id":1}"#, "column v is missing"), (#"nonsense"#, "not a JSON object"),
        (#"{"id":[1],"v":1}"#, "its key id is an array"), (#"{"id":null,"v":1}"#, "its key id is null"),
        (#"{"id":true,"v":1}"#, "its key id is true or false"), (#"{"id":"\u0000","v":1}"#, "its key id: \\u0000"),
    ])
    func anAnswerThatCannotBeUsedSaysWhy(line: String, reason: String) {
        var collector = Self.collector(["1", "2"])
        let fault = #expect(throws: AnswerFault.self) { try Self.add(line, to: &collector) }
        #expect(fault?.reason.contains(reason) == true)
    }

    @Test func aSecondAnswerForARowIsRefused() throws {
        var collector = Self.collector(["1", "2"])
        try Self.add(#"{"id":1,"v":1}"#, to: &collector)
        let fault = #expect(throws: AnswerFault.self) { try Self.add(#"{"id":1,"v":2}"#, to: &collector) }
        #expect(fault == AnswerFault(reason: "a key was answered twice", key: Key("1")))
    }

    @Test func whatIsWrongWithAValueNamesRowColumnAndType() {
        var collector = Self.collector(["1", "2"], form: .integer, type: "integer")
        let fault = #expect(throws: AnswerFault.self) { try Self.add(#"{"id":2,"v":[1]}"#, to: &collector) }
        #expect(fault?.key == Key("2"))
        #expect(fault?.column == "v")
        #expect(fault?.reason.hasPrefix("column v of type integer: the answer is an array, not a whole number") == true)
    }

    @Test func theFirstRowWithoutAnAnswerIsKnown() throws {
        var collector = Self.collector(["10", "20", "30"])
        #expect(collector.firstMissing == Key("10"))
        for key in [30, 10] { try Self.add("{\"id\":\(key),\"v\":1}", to: &collector) }
        #expect(collector.firstMissing == Key("20"))
        try Self.add(#"{"id":20,"v":1}"#, to: &collector)
        #expect(collector.firstMissing == nil)
    }

    /// For each type, what is taken and with which text, and what is not.
    @Test(arguments: [
        (JSONLine.Form.Scalar.integer, ["7": "7", "-7": "-7", "\"7\"": "7", "2147483647": "2147483647"]),
        (.smallint, ["-32768": "-32768"]), (.bigint, ["9223372036854775807": "9223372036854775807"]),
        (.bigint, ["\"-9223372036854775808\"": "-9223372036854775808"]), (.oid, ["4294967295": "4294967295"]),
        (
            .numeric,
            ["1.50": "1.50", "1e3": "1e3", "\"0.15e1\"": "0.15e1", "\"NaN\"": "NaN", "\"-Infinity\"": "-Infinity"]
        ),
        (.float, ["-0.0": "-0.0", "\"Infinity\"": "Infinity", "\".5\"": ".5"]),
        (.boolean, ["true": "true", "false": "false", "\"t\"": "t", "\"false\"": "false"]),
        (.json, ["{\"a\":1}": "{\"a\":1}", "[1]": "[1]", "true": "true", "\"x\\n\"": "\"x\\n\"", "1.0": "1.0"]),
        (.uuid, ["\"6f9b2a00-1122-4344-8566-778899aabbcc\"": "6f9b2a00-1122-4344-8566-778899aabbcc"]),
        (.string, ["\"2026-01-31\"": "2026-01-31"]), (.text, ["\"x\\u00e9\"": "xé", "1.50": "1.50", "\"\"": ""]),
    ])
    func aTypeTakesTheFormsThatAreDocumented(form: JSONLine.Form.Scalar, taken: [String: String]) throws {
        for (answer, text) in taken {
            var collector = Self.collector(["1"], form: form)
            try Self.add("{\"id\":1,\"v\":\(answer)}", to: &collector)
            #expect(collector.finish().text(row: 0, column: 0) == text)
        }
    }

    @Test(arguments: [
        (
            JSONLine.Form.Scalar.integer,
            ["2147483648", "1.0", "1e3", "true", "[1]", "{}", "\"x\"", "\"\"", "\" 1\"", "\"+1\""]
        ),
        (.smallint, ["32768", "-32769"]), (.bigint, ["9223372036854775808", "1.2345678901234568e+18", "\"-\""]),
        (.oid, ["-1", "4294967296"]), (.numeric, ["true", "[1]", "{}", "\"one\"", "\"\"", "\"1,5\"", "\"1e\""]),
        (.float, ["false", "\"x\""]), (.boolean, ["1", "0", "\"yes\"", "[true]", "\"T\""]),
        (.uuid, ["1", "\"6f9b2a00\"", "{}", "\"6f9b2a0-01122-4344-8566-778899aabbcc\""]),
        (.string, ["1", "true", "[]", "{}"]), (.text, ["true", "[1,2]", "{\"a\":1}"]),
    ])
    func aTypeRefusesEveryOtherForm(form: JSONLine.Form.Scalar, refused: [String]) {
        for answer in refused {
            var collector = Self.collector(["1"], form: form)
            let fault = #expect(throws: AnswerFault.self, "\(answer)") {
                try Self.add("{\"id\":1,\"v\":\(answer)}", to: &collector)
            }
            #expect(fault?.reason.hasPrefix("column v of type text: ") == true, "\(answer)")
        }
    }

    // MARK: - Keys of several columns

    private static let pair = KeySchema([
        KeySchema.Part(
            Target.Column(
                name: "a", number: 1, quoted: "a", type: 20, typeName: "bigint",
                value: ValueType(base: 20, name: "pg_catalog.int8")), .bigint),
        KeySchema.Part(
            Target.Column(
                name: "b", number: 2, quoted: "b", type: 25, typeName: "text",
                value: ValueType(base: 25, name: "pg_catalog.text")), .text),
    ])

    @Test func answersAreSortedByAllColumnsOfTheKey() throws {
        var collector = Self.collector(keys: [["1", "1"], ["1", "11"], ["11", "1"], ["2", "x\"y"]], Self.pair)
        try Self.add(#"{"b": "x\"y", "v": "d", "a": 2}"#, to: &collector)
        try Self.add(#"{"a": "11", "b": "1", "v": "c"}"#, to: &collector)
        #expect(collector.firstMissing == Key(["1", "1"]))
        try Self.add(#"{"a": 1, "b": 1, "v": "a"}"#, to: &collector)
        try Self.add(#"{"a": 1, "b": "11", "v": "b"}"#, to: &collector)
        #expect(collector.missing == 0)
        let values = collector.finish()
        #expect((0..<4).map { values.text(row: $0, column: 0) } == ["a", "b", "c", "d"])
    }

    @Test(
        arguments: [
            (#"{"a": 1, "v": 1}"#, "the key b is missing", nil), (#"{"b": "1", "v": 1}"#, "the key a is missing", nil),
            (#"{"a": 1, "b": null, "v": 1}"#, "its key b is null", nil),
            (#"{"a": 1, "b": "2", "v": 1}"#, "none that the program was given", nil),
            (#"{"a": 1, "b": "1", "v": [1]}"#, "the answer is an array", Key(["1", "1"])),
        ] as [(String, String, Key?)])
    func faultsNameTheColumnOrTheWholeKey(line: String, reason: String, key: Key?) {
        var collector = Self.collector(keys: [["1", "1"], ["1", "11"]], Self.pair)
        let fault = #expect(throws: AnswerFault.self) { try Self.add(line, to: &collector) }
        #expect(fault?.reason.contains(reason) == true, "\(fault?.reason ?? "")")
        #expect(fault?.key == key)
    }
}
