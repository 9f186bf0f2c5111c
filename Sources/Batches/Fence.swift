import Postgres
import Sharding

/// What a shard's row must say for a batch to be taken: the shard is still this worker's, and no batch has been counted since.
package struct Fence: Sendable, Equatable {
    package var run: RunID
    package var lease: Lease
    package var worker: WorkerID
    /// Batches that had been committed on the shard when this one was made.
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
