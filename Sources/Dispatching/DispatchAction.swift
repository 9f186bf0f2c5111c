public import Sharding

/// What the shell must do, in order.
public enum DispatchAction: Equatable, Sendable {
    /// Ask the ledger, after whatever was asked before.
    case ledger(LedgerRequest)
    /// Send the worker a message. Where it does not arrive, a later one says the same.
    case tell(WorkerID, Instruction)
    /// The worker is taken for dead: forget its address; a local process is killed and replaced.
    case dismiss(WorkerID)
    /// The machine's work is over.
    case finish(DispatchOutcome)

    /// What a worker is told.
    public enum Instruction: Equatable, Sendable {
        /// The lease is the worker's, with the rows that a batch may have by now. Repeating it is harmless.
        case assign(Lease)
        /// The lease is no longer the worker's.
        case revoke(Lease)
        /// The worker is not known: it is to say HELLO again.
        case rejoin
        /// The worker is to finish its batch, release its leases and leave.
        case drain
    }
}

/// How the machine's work ended.
public enum DispatchOutcome: Equatable, Sendable {
    /// The ledger says that every shard is done, or that the rest has failed for good.
    case concluded(done: Int, failed: Int)
    /// Drained on request: leases are released, the run can be resumed.
    case drained
    /// Drained since the run was cancelled.
    case cancelled
    /// Drained since no shard can go on; the run can be resumed once the reason is gone.
    case stopped(reason: String)
}
