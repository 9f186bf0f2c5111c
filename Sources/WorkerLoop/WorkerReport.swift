public import Sharding

/// A report to the coordinator. The shell adds the process, the host and the memory.
public enum WorkerReport: Equatable, Sendable {
    /// The worker is ready for leases.
    case hello
    case heartbeat(HeldLease?)
    case shardDone(Lease)
    case shardFailed(Lease, StepError)
    /// The worker gives the lease back before the end of the shard.
    case leaseReleased(Lease)
    /// The shard has another epoch or owner.
    case leaseLost(Lease)
    /// The worker leaves.
    case goodbye
}
