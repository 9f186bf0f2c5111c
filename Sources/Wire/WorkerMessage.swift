package import Sharding

/// A message from a worker to its coordinator, one in each frame. docs/protocol.md says when each one is sent.
package enum WorkerMessage: Equatable, Sendable {
    case hello(Hello)
    case heartbeat(Heartbeat)
    /// The batch that ended the shard has committed.
    case shardDone(Lease)
    case shardFailed(ShardFailure)
    /// The worker gives the lease back before the end of the shard.
    case leaseReleased(Lease)
    /// The fence refused a batch, or the lease could not be opened.
    case leaseLost(Lease)
    /// The worker waits for its turn to write; a turn that it had is over.
    ///
    /// - Parameter rows: the rows that the worker has written since it began.
    case turnWanted(rows: Int64)
    /// The worker needs no turn, or no longer.
    ///
    /// - Parameter rows: the rows that the worker has written since it began.
    case turnEnded(rows: Int64)
    /// The worker leaves; the reason is empty when all is well.
    case goodbye(reason: String)
}
