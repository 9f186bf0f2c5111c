import Batches
import CoordKit
import Sharding
import Testing

@testable import Compute

struct TransformTests {
    static let key = KeySchema(
        Target.Column(
            name: "id", number: 1, quoted: "id", type: 20, typeName: "bigint",
            value: ValueType(base: 20, name: "pg_catalog.int8")), .bigint)

    static func batch() -> RowBatch {
        var batch = RowBatch(columns: 5)
        for row in 1...3 {
            batch.append("\(row)")
            batch.append("9")
            batch.append("(0,1)")
            batch.append("name \(row)")
            batch.append(row == 2 ? nil as String? : "\(row * 10)")
        }
        return batch
    }

    @Test func passthroughWritesWhatWasRead() throws {
        let compute = TransformCompute(transform: .passthrough, key: Self.key, read: ["a", "b"], writes: 2)
        let values = try compute.compute(Self.batch())
        #expect(values.text(row: 0, column: 0) == "name 1")
        #expect(values.text(row: 1, column: 1) == nil)
        #expect(values.text(row: 2, column: 1) == "30")
    }

    @Test func aTransformSeesColumnsByName() throws {
        let transform = RowTransform("double") { row, writer in
            writer.write(row["b"].flatMap { Int($0) }.map { $0 * 2 } ?? 0)
        }
        let values = try TransformCompute(transform: transform, key: Self.key, read: ["a", "b"], writes: 1).compute(
            Self.batch())
        #expect((0..<3).map { values.text(row: $0, column: 0) } == ["20", "0", "60"])
    }

    @Test func aTransformThatWritesTooFewOrTooManyValuesIsRefused() {
        let compute = TransformCompute(transform: .passthrough, key: Self.key, read: ["a", "b"], writes: 1)
        let error = #expect(throws: ComputeError.self) { try compute.compute(Self.batch()) }
        #expect(error?.description.contains("wrote 2 values") == true)
    }

    @Test func aTransformThatThrowsFailsTheBatchWithItsError() {
        struct Sorry: Error {}
        let transform = RowTransform("sorry") { _, _ in throw Sorry() }
        let error = #expect(throws: ComputeError.self) {
            try TransformCompute(transform: transform, key: Self.key, read: ["a", "b"], writes: 1).compute(Self.batch())
        }
        #expect(error?.description.contains("transform sorry failed: Sorry()") == true)
    }

    @Test func aBatchCanBeUsedAgain() {
        var batch = Self.batch()
        batch.removeAll()
        #expect(batch.rows == 0 && batch.bytes == 0)
        batch.append(writing: { $0.append(contentsOf: "ab".utf8) })
        #expect(batch.bytes == 2)
    }
}
