import Dispatching
import Report
import Sharding
import Wire

/// An event from a worker that concerns the run.
struct LinkEvent: Equatable {
    enum Kind: Equatable {
        /// The worker asked to join, and was refused.
        case refused(reason: String)
        /// The worker asked to join, and gets ready. The problem says why it cannot begin; nil for none.
        case asked(ProcessName, problem: String?)
        /// The worker can work.
        case joined(ProcessName, credit: Int)
        case reported(Heartbeat)
        case shardDone(Lease)
        case shardFailed(ShardFailure)
        case leaseReleased(Lease)
        case leaseLost(Lease)
        /// The worker waits for its turn to write.
        ///
        /// - Parameter rows: the rows that the worker says it has written since it began.
        case turnWanted(rows: Int64)
        case turnEnded(rows: Int64)
        /// The worker said goodbye. The reason is empty if all is well.
        case left(reason: String)
        /// The worker's key, of this name, was revoked.
        case revoked(key: String)
        /// The worker asked to join, never did, and is not heard any more.
        case forgotten
    }

    var worker: WorkerID
    /// Nil if the worker has not joined.
    var process: ProcessName?
    /// Whether this process has spawned the worker.
    var isLocal: Bool
    /// The key by which the worker is known; nil at an endpoint without keys.
    var key: String?
    var kind: Kind

    /// How far the worker's word goes.
    var origin: WorkerOrigin { isLocal ? .spawned : key.map { .key($0) } ?? .unknown }
}
