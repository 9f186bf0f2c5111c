import Batches
import Ledger
import Sharding
import Testing

/// A shard under a lease, as its worker knows it.
package struct LeasedShard: Sendable {
    package var run: RunID
    package var lease: Lease
    package var worker = WorkerID.first
    package var range: KeyRange
    package var cursor: Cursor
    package var sequence: Int64 = 0

    package init(
        _ store: TestLedger, shard: Int32 = 0, of ownership: Ownership, worker: WorkerID = .first, keyColumns: Int = 1
    ) throws {
        let id = ShardID(shard)
        let record = try #require(try store.reader.shard(id, of: ownership.run))
        let leased = try store.coordinator.lease(id, to: worker, after: record.epoch, ownership)
        lease = try #require(leased).lease
        run = ownership.run
        self.worker = worker
        let opening = try #require(try store.worker.open(lease, owner: worker, run: run, keyColumns: keyColumns))
        range = opening.range
        cursor = opening.position.cursor
        sequence = opening.position.sequence
    }

    /// A leased shard with a state that the test chooses, which may be an old one.
    package init(
        run: RunID, lease: Lease, worker: WorkerID, range: KeyRange, cursor: Cursor, sequence: Int64
    ) {
        self.run = run
        self.lease = lease
        self.worker = worker
        self.range = range
        self.cursor = cursor
        self.sequence = sequence
    }

    package var fence: Fence { Fence(run: run, lease: lease, worker: worker, sequence: sequence) }
}
