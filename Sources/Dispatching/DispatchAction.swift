public import Sharding

/// An order to the shell, which carries out orders in sequence.
public enum DispatchAction: Equatable, Sendable {
    /// Ask the ledger, after all earlier requests.
    case ledger(LedgerRequest)
    /// Send the worker a message. If it gets lost, a later message says the same.
    case tell(WorkerID, Instruction)
    /// The worker counts as dead: forget its address, and kill and replace it if it is a local process.
    case dismiss(WorkerID)
    /// The machine's work is over.
    case finish(DispatchOutcome)

    /// A message to a worker.
    public enum Instruction: Equatable, Sendable {
        /// The lease is the worker's. The shell adds the current row limit of a batch. A repetition is harmless.
        case assign(Lease)
        /// The lease is no longer the worker's.
        case revoke(Lease)
        /// The coordinator does not know the worker, which must say HELLO again.
        case rejoin
        /// The worker must finish its batch, release its leases and leave.
        case drain
    }
}

/// The end of the machine's work.
public enum DispatchOutcome: Equatable, Sendable {
    /// The ledger says that every shard is done or has failed for good.
    case concluded(done: Int, failed: Int)
    /// Drained on request: the leases are released, and the run can be resumed.
    case drained
    /// Drained because the run was cancelled.
    case cancelled
    /// Drained because no shard can go on. The run can be resumed once the reason is gone.
    case stopped(reason: String)
}
