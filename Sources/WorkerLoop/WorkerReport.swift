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
    /// The worker waits for its turn to write; a turn that it had is over.
    case turnWanted
    /// The worker has no use for a turn: the one that it had is over, or it does not wait for one any more.
    case turnEnded
    /// The worker leaves.
    case goodbye
}
