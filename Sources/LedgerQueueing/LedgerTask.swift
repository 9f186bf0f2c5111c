package import Dispatching
package import Sharding

/// What a coordinator has to do in the ledger.
package enum LedgerTask: Equatable, Sendable {
    /// What the dispatching machine asks.
    case dispatch(LedgerRequest)
    /// Prolong the ownership of the run.
    case renew
    /// Write the workers' figures, as they are when it is done.
    case note
    /// Write that the worker has left.
    case left(WorkerID)
    /// Write how many rows a batch may have.
    case batchRows(Int)
    /// Give the run back, so that it can be resumed, or end it as cancelled.
    case release(cancelled: Bool)

    /// Whether it still must be done after a lost connection, and at the end of the run. How an attempt ended nobody else
    /// knows, and without it a failure would not count. What else the dispatching machine asks is void then, and the rest
    /// comes again by the clock.
    var isLasting: Bool {
        switch self {
        case .left, .batchRows, .release, .dispatch(.recordAttempt): true
        case .dispatch, .renew, .note: false
        }
    }

    /// Whether one that waits stands for all that come until its turn.
    var isPeriodic: Bool { self == .renew || self == .note }
}
