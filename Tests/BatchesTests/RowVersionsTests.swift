import Batches
import CoordKit
import Sharding
import Support
import Testing

/// Rows that a write has left unchanged, and what the next read finds of them.
@Suite struct RowVersionsTests {
    private let schema = KeySchema(
        Target.Column(
            name: "id", quoted: "id", type: 20, typeName: "bigint", value: ValueType(base: 20, name: "pg_catalog.int8")),
        .bigint)

    /// A batch of one row, whose key is 7.
    private func read(xmin: Int, place: Int) -> RowBatch {
        var batch = RowBatch(columns: schema.systemColumns)
        for value in ["7", "\(xmin)", "(0,\(place))"] { batch.append(value) }
        return batch
    }

    private func left(_ batch: RowBatch) -> RowVersions {
        var versions = RowVersions()
        versions.note(["7"], of: batch, schema, deferred: ["7"])
        return versions
    }

    @Test func rowThatIsWhatItWasIsOneThatTheDatabaseDoesNotChange() {
        var versions = left(read(xmin: 700, place: 1))
        #expect(versions.isUnchanged(0, of: read(xmin: 700, place: 1), schema) == true)
    }

    @Test func rowThatSomebodyHasChangedIsTriedAgainForAsLongAsThatGoesOn() {
        var versions = left(read(xmin: 700, place: 1))
        for time in 1...100 {
            let batch = read(xmin: 700 + time, place: 1 + time)
            #expect(versions.isUnchanged(0, of: batch, schema) == false)
            versions.note(["7"], of: batch, schema, deferred: ["7"])
        }
    }

    /// A VACUUM FULL moves rows, for example. Without a limit, such a row would be deferred for ever.
    @Test func rowThatMovesWithoutAChangeIsTriedAgainUpToTheLimit() {
        var versions = left(read(xmin: 700, place: 1))
        for time in 1...RowVersions.limit {
            let batch = read(xmin: 700, place: 1 + time)
            #expect(versions.isUnchanged(0, of: batch, schema) == false)
            versions.note(["7"], of: batch, schema, deferred: ["7"])
        }
        #expect(versions.isUnchanged(0, of: read(xmin: 700, place: 0), schema) == nil)
    }

    @Test func rowThatIsDeferredNoMoreIsForgotten() {
        var versions = left(read(xmin: 700, place: 1))
        versions.note([], of: RowBatch(columns: schema.systemColumns), schema, deferred: [])
        #expect(versions.isEmpty)
    }
}
