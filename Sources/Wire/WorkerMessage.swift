package import Sharding

/// What a worker tells its coordinator, one message a frame. docs/protocol.md says when.
package enum WorkerMessage: Equatable, Sendable {
    case hello(Hello)
    case heartbeat(Heartbeat)
    /// The batch that ended the shard has committed.
    case shardDone(Lease)
    case shardFailed(ShardFailure)
    /// Given back before the end of the shard.
    case leaseReleased(Lease)
    /// The fence refused a batch, or the lease could not be opened.
    case leaseLost(Lease)
    /// The worker leaves; the reason is empty when all is well.
    case goodbye(reason: String)
}
