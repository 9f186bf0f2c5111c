import Dispatching
import Ledger
import Sharding

/// What the ledger answers to a task.
enum LedgerAnswer: Equatable, Sendable {
    /// It is done, and there is nothing to tell.
    case done
    /// What has become of the table's storage; nil where it was not measured.
    case noted(StorageMeasure?)
    /// The run is not this coordinator's any more.
    case refused
    case renewed(cancelAsked: Bool)
    case leaseRecorded(Lease, worker: WorkerID, sequence: Int64)
    case leaseRefused(ShardID, worker: WorkerID)
    case attemptRecorded(Lease, AttemptEnd, state: ShardState, failures: Int)
    /// The lease was over already: this is where its shard stands.
    case attemptVoid(Lease, AttemptEnd, ShardRecord)
    case shardRead(ShardRecord)
    case shardsLoaded([ShardRecord])
    case concluded(ShardCounts)
    /// The run's state, where it was this coordinator's to give back.
    case released(RunState?)
}
