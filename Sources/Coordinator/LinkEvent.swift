import Report
import Sharding
import Wire

/// What came from a worker and concerns the run.
struct LinkEvent: Equatable {
    enum Kind: Equatable {
        /// It asked to join and was refused.
        case refused(reason: String)
        /// It asked to join and gets ready. The problem is why it cannot begin, if so.
        case asked(ProcessName, problem: String?)
        /// It can work.
        case joined(ProcessName, credit: Int)
        case reported(Heartbeat)
        case shardDone(Lease)
        case shardFailed(ShardFailure)
        case leaseReleased(Lease)
        case leaseLost(Lease)
        /// It said goodbye; the reason is empty when all is well.
        case left(reason: String)
        /// It asked to join, never did, and is not heard of any more.
        case forgotten
    }

    var worker: WorkerID
    /// Nil where it has not joined.
    var process: ProcessName?
    /// A process that this one has spawned.
    var isLocal: Bool
    var kind: Kind
}
