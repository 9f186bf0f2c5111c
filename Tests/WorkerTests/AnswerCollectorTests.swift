import CoordKit
import Testing

@testable import Worker

struct AnswerCollectorTests {
    static func collector(_ keys: [String], writes: [String] = ["v"], form: JSONLine.Form = .string)
        -> AnswerCollector
    {
        var batch = RowBatch(columns: 2)
        for key in keys {
            batch.append(key)
            batch.append("100")
        }
        return AnswerCollector(
            batch: batch, writes: writes.map { Array($0.utf8) }, forms: writes.map { _ in form }, key: "id")
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
        try Self.add(#"{"id":"","v":{"a":1}}"#, to: &collector)
        let values = collector.finish()
        #expect(values.text(row: 0, column: 0) == nil)
        #expect(values.text(row: 1, column: 0) == "1")
        #expect(values.text(row: 2, column: 0) == #"{"a":1}"#)
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
    ])
    func anAnswerThatCannotBeUsedSaysWhy(line: String, reason: String) {
        var collector = Self.collector(["1", "2"])
        let fault = #expect(throws: JSONLine.Fault.self) { try Self.add(line, to: &collector) }
        #expect(fault?.reason.contains(reason) == true)
    }

    @Test func aSecondAnswerForARowIsRefused() throws {
        var collector = Self.collector(["1", "2"])
        try Self.add(#"{"id":1,"v":1}"#, to: &collector)
        let fault = #expect(throws: JSONLine.Fault.self) { try Self.add(#"{"id":1,"v":2}"#, to: &collector) }
        #expect(fault?.reason == "a key was answered twice")
    }
}
