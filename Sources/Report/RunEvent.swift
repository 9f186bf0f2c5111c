public import Sharding

/// An event of a run, for those who watch it.
public enum RunEvent: Equatable, Sendable {
    /// Workers can join at this endpoint.
    case listening(String)
    case progressed(RunReport)
    /// An attempt at a shard has ended with an error. `failed` says that the shard is not tried again.
    case attemptEnded(ShardID, error: String, cause: FailureCause, failed: Bool)
    /// A worker was taken for dead, and its shard goes to another worker.
    case workerDismissed(ProcessName)
    /// A local worker's process has ended, and another is started.
    case workerEnded(pid: Int32, reason: String)
    /// So many workers were started on another host.
    case hostStarted(String, workers: Int)
    /// The workers of another host cannot be started, or ssh to it has ended; it is tried again.
    case hostLost(String, reason: String, retryIn: Duration)
    /// A worker cannot do this job, and its shard goes to another worker. The process is nil if it is not known any
    /// more.
    case workerUnfit(ProcessName?, error: String, cause: FailureCause)
    /// The key of a worker was revoked: it is cut off, and its shard goes to another. The process is nil where it had not joined.
    case workerRevoked(ProcessName?, key: String)
    /// A peer at this address has a key that may not join.
    case strangerRefused(key: String, address: String)
    /// Somebody asked that the run be paused: its workers drain, and it is given back.
    case pauseAsked(by: String)
    /// Somebody has limited the run's pace, or changed or lifted the limits; nil for none.
    case paceChanged(Pace?)
    /// A timeout has made batches smaller: they have at most so many rows.
    case batchesShrunk(rows: Int)
    /// The connection to the ledger is lost.
    case databaseLost(reason: String)
    /// The ledger's server takes no writes any more.
    case databaseReadOnly(reason: String)
}
