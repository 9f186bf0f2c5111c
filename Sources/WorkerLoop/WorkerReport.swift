public import Sharding

/// What a worker has to say to its coordinator. The shell adds what only it knows: the process, its host, its memory.
public enum WorkerReport: Equatable, Sendable {
    /// It is ready for leases.
    case hello
    case heartbeat(HeldLease?)
    case shardDone(Lease)
    case shardFailed(Lease, StepError)
    /// Given back before the end of the shard.
    case leaseReleased(Lease)
    /// The shard has another epoch or owner.
    case leaseLost(Lease)
    /// It leaves.
    case goodbye
}
