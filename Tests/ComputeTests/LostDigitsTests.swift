import CoordKit
import Sharding
import Testing

@testable import Compute

struct LostDigitsTests {
    typealias Scalar = JSONLine.Form.Scalar

    static func form(_ scalar: Scalar, array: Bool = false, quotes: Bool = false) -> JSONLine.Form {
        JSONLine.Form(scalar: scalar, delimiter: array ? 44 : nil, quotesNumbers: quotes)
    }

    /// The sent column whose digits `answer` has lost; nil for none.
    static func lost(_ sent: [(String, JSONLine.Form)], _ answer: String, _ form: JSONLine.Form) -> String? {
        var batch = RowBatch(columns: sent.count)
        for (value, _) in sent { batch.append(value) }
        let digits = LostDigits(
            key: TransformTests.key,
            sources: sent.enumerated().map { .init(column: $0, name: "column c\($0)", form: $1.1) })
        let risky = digits.sent(0, of: batch)
        guard !risky.isEmpty else { return nil }
        return Array(answer.utf8).withUnsafeBytes {
            digits.loss(in: $0, for: form, of: risky, row: 0, of: batch)?.sent.column
        }
    }

    /// The answers come from Python, Node.js, jq 1.6 and C's printf, which had each read the number as a double.
    @Test(arguments: [
        ("1234567890123456789", "1.2345678901234568e+18", Scalar.bigint),
        ("1234567890123456789", "1234567890123456800", .bigint),
        ("1234567890123456789", "1234567890123456768", .bigint), ("9007199254740993", "9007199254740992", .bigint),
        ("-9007199254740993", "-9007199254740992", .text), ("9007199254740993", "9007199254740992.0", .numeric),
        ("0.1000000000000000000001", "0.1", .numeric), ("1234567890.0123456789", "1234567890.0123458", .numeric),
        ("1234567890.0123456789", "1234567890.0123457909", .numeric), ("100000000000000000001", "1e20", .numeric),
        ("12345678901234567.8901", "1.2345678901234568e16", .text),
        ("1" + String(repeating: "0", count: 400), "1.7976931348623157e+308", .numeric),
    ])
    func aDoubleInPlaceOfANumberIsFound(sent: String, answer: String, written: Scalar) {
        #expect(Self.lost([(sent, Self.form(.numeric))], answer, Self.form(written)) == "column c0")
    }

    @Test(arguments: [
        // The same number, whatever its spelling.
        ("1234567890123456789", "1234567890123456789", Scalar.bigint), ("1.5000000000000000000", "1.5", .numeric),
        ("1000000000000000000000", "1e21", .numeric), ("0.12345678901234567890", "12345678901234567890e-20", .numeric),
        // The number sent is exactly a double.
        ("9007199254740992", "9007199254740992", .bigint), ("0.5000000000000000", "0.5", .numeric),
        ("9007199254740994", "9007199254740994", .bigint),
        // A neighbour that only exact arithmetic gives; a rounding to more digits than a double is written with.
        ("1234567890123456789", "1234567890123456790", .bigint),
        ("1234567890123456789", "1234567890123456788", .bigint),
        ("0.12345678901234567891", "0.123456789012345679", .numeric),
        // A different number, or no number.
        ("1234567890123456789", "7", .bigint), ("1234567890123456789", "NaN", .numeric),
        ("1234567890123456789", "key 1.2345678901234568e+18", .text),
        // A rounding to a whole number, or a column that is itself a double.
        ("5.00000000000000000001", "5", .bigint), ("5.00000000000000000001", "5", .integer),
        ("0.1000000000000000000001", "0.1", .float),
        // Few digits.
        ("123456789012345", "123456789012345", .bigint),
    ])
    func whatADoubleHasNoPartInIsNoLoss(sent: String, answer: String, written: Scalar) {
        #expect(Self.lost([(sent, Self.form(.numeric))], answer, Self.form(written)) == nil)
    }

    @Test func aNumberThatAnotherColumnHasWasCopiedAndNotLost() {
        let sent = [("9007199254740993", Self.form(.bigint)), ("9007199254740992", Self.form(.bigint))]
        #expect(Self.lost(sent, "9007199254740992", Self.form(.bigint)) == nil)
        #expect(Self.lost([sent[0], ("5", sent[1].1)], "9007199254740992", Self.form(.bigint)) == "column c0")
    }

    @Test func numbersSentAsStringsAreTheProgramsOwnAffair() {
        let sent = [("9007199254740993", Self.form(.bigint, quotes: true))]
        #expect(Self.lost(sent, "9007199254740992", Self.form(.bigint)) == nil)
    }

    @Test func numbersInArraysAndInJSONAreFoundAndTextInItIsNot() {
        let array = [("{1,NULL,{9007199254740993,2}}", Self.form(.bigint, array: true))]
        #expect(Self.lost(array, "[1,null,[9007199254740992,2]]", Self.form(.bigint, array: true)) == "column c0")
        #expect(Self.lost(array, "[1,null,[9007199254740993,2]]", Self.form(.bigint, array: true)) == nil)
        #expect(Self.lost(array, #"["1",["9007199254740992"]]"#, Self.form(.bigint, array: true)) == "column c0")
        let json = [(#"{"id":12345678901234567890,"s":"9007199254740993"}"#, Self.form(.json))]
        #expect(Self.lost(json, #"{"id":12345678901234567000}"#, Self.form(.json)) == "column c0")
        #expect(Self.lost(json, #"{"id":12345678901234567890,"n":9007199254740992}"#, Self.form(.json)) == nil)
        #expect(Self.lost(json, "12345678901234567000", Self.form(.numeric)) == "column c0")
    }

    @Test func aKeyThatLostDigitsIsRecognised() {
        var batch = RowBatch(columns: 1)
        for key in ["5", "9007199254740993"] { batch.append(key) }
        let digits = LostDigits(
            key: TransformTests.key, sources: [.init(column: 0, name: "id", form: Self.form(.bigint))])
        func key(_ answer: String) -> String? { digits.key(lostIn: [Array(answer.utf8)], of: batch)?.description }
        #expect(key("9007199254740992") == "9007199254740993")
        #expect(key("9.007199254740992e15") == "9007199254740993")
        #expect(key("77") == nil)
        #expect(key("x") == nil)
    }

    @Test(arguments: [
        ("1.50", "1.5", true), ("1e3", "1000", true), ("-0", "0.000", true), ("0001", "1", true), (".5", "5e-1", true),
        ("1.", "1", true), ("+7", "7", true), ("1", "-1", false), ("10", "1", false), ("1.01", "1.1", false),
    ])
    func decimalsAreEqualByTheirValue(one: String, other: String, equal: Bool) {
        #expect((ExactDecimal(one) == ExactDecimal(other)) == equal)
    }

    @Test(arguments: [
        "", "-", ".", "e5", "1e", "1e+", "0x1", "1 ", " 1", "NaN", "Infinity", "1_000", "1e9999999", "--1",
    ])
    func whatIsNoNumberHasNoValue(text: String) { #expect(ExactDecimal(text) == nil) }
}
