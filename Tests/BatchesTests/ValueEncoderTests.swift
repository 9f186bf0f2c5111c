import CoordKit
import Postgres
import Testing

@testable import Batches

struct ValueEncoderTests {
    static func integer<Value: FixedWidthInteger>(_ text: String, _ type: Value.Type) -> Value? {
        Array(text.utf8).withUnsafeBytes { ValueEncoder.integer($0) }
    }

    @Test func integersAreReadToTheirLimitsAndNotBeyond() {
        #expect(Self.integer("0", Int64.self) == 0)
        #expect(Self.integer("-9223372036854775808", Int64.self) == Int64.min)
        #expect(Self.integer("9223372036854775807", Int64.self) == Int64.max)
        #expect(Self.integer("9223372036854775808", Int64.self) == nil)
        #expect(Self.integer("32767", Int16.self) == 32767)
        #expect(Self.integer("32768", Int16.self) == nil)
        #expect(Self.integer("4294967295", UInt32.self) == UInt32.max)
        #expect(Self.integer("-1", UInt32.self) == nil)
        for bad in ["", "-", "1.5", "1e3", " 1", "1 ", "x"] { #expect(Self.integer(bad, Int64.self) == nil) }
    }

    @Test func placesAreReadToTheirLimits() {
        func read(_ text: String) -> [Int]? {
            Array(text.utf8).withUnsafeBytes { ValueEncoder.place($0) }.map { [Int($0.block), Int($0.offset)] }
        }
        #expect(read("(0,1)") == [0, 1])
        #expect(read("(4294967295,65535)") == [4_294_967_295, 65535])
        for bad in ["", "()", "(1)", "(1,", "1,2", "(1,65536)", "(-1,2)", "(1,2,3)"] { #expect(read(bad) == nil) }
    }

    @Test func uuidsAreReadInTheServersForms() {
        func read(_ text: String) -> [UInt8]? { Array(text.utf8).withUnsafeBytes { ValueEncoder.uuid($0) } }
        let bytes: [UInt8] = [
            0x6F, 0x9B, 0x2A, 0x00, 0x11, 0x22, 0x43, 0x44, 0x85, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC,
        ]
        #expect(read("6f9b2a00-1122-4344-8566-778899aabbcc") == bytes)
        #expect(read("{6F9B2A00112243448566778899AABBCC}") == bytes)
        #expect(read("6f9b2a00-1122-4344-8566-778899aabbc") == nil)
        #expect(read("zf9b2a00-1122-4344-8566-778899aabbcc") == nil)
        // PostgreSQL's input function refuses these.
        #expect(read("6-f9b2a0011224344856677889 9aabbcc") == nil)
        #expect(read("6f9b2a001122434485667788 99aabbcc-") == nil)
        #expect(read("{6f9b2a00112243448566778899aabbcc") == nil)
        #expect(read("6f9b-2a00-1122-4344-8566-7788-99aa-bbcc") == bytes)
    }

    @Test func aValueOfTheWrongTypeNamesItsRowAndType() {
        var batch = RowBatch(columns: 1)
        batch.append("1")
        batch.append("one")
        var parameters = PostgresParameters()
        let fault = #expect(throws: ValueEncoder.Fault.self) {
            try ValueEncoder.append(batch, column: 0, rows: 2, as: .int4, to: &parameters)
        }
        #expect(fault == ValueEncoder.Fault(row: 1, type: .int4))
    }
}
