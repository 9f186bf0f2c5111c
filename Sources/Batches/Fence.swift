import Postgres
import Sharding

/// The state of a shard's row that a batch requires: the shard is still this worker's, and no later batch was counted.
package struct Fence: Sendable, Equatable {
    package var run: RunID
    package var lease: Lease
    package var worker: WorkerID
    /// The number of batches committed on the shard before this one.
    package var sequence: Int64

    package init(run: RunID, lease: Lease, worker: WorkerID, sequence: Int64) {
        self.run = run
        self.lease = lease
        self.worker = worker
        self.sequence = sequence
    }

    /// Appends $1 to $5 of every statement that writes.
    func append(to parameters: inout PostgresParameters) {
        parameters.append(run.description)
        parameters.append(lease.shard.description)
        parameters.append(lease.epoch.description)
        parameters.append(worker.rawValue)
        parameters.append(sequence)
    }
}
