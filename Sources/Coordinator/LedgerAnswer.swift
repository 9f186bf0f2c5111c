import Dispatching
import Ledger
import Sharding

/// The ledger's answer to a task.
enum LedgerAnswer: Equatable, Sendable {
    /// The task is done, and there is nothing to tell.
    case done
    /// The workers' figures are written. With the reading of the table's storage; nil if it was not due.
    case noted(StorageReading?)
    /// The run is not this coordinator's any more.
    case refused
    /// With who asked that the run be paused, and with the limits that somebody has set; nil where nobody did.
    case renewed(cancelAsked: Bool, pausedBy: String? = nil, pace: Pace? = nil)
    case leaseRecorded(Lease, worker: WorkerID, sequence: Int64)
    case leaseRefused(ShardID, worker: WorkerID)
    case attemptRecorded(Lease, AttemptEnd, state: ShardState, failures: Int)
    /// The lease was over already. The record is the shard's present state.
    case attemptVoid(Lease, AttemptEnd, ShardRecord)
    case shardRead(ShardRecord)
    case shardsLoaded([ShardRecord])
    case concluded(ShardCounts)
    /// The run's state, if this coordinator still owned the run.
    case released(RunState?)
}
