package import Dispatching
package import Sharding

/// A coordinator's task in the ledger.
package enum LedgerTask: Equatable, Sendable {
    /// A request of the dispatching machine.
    case dispatch(LedgerRequest)
    /// Renew the ownership of the run.
    case renew
    /// Write the workers' figures, as they are at that moment.
    case note
    /// Note that the worker has left.
    case left(WorkerID)
    /// Note the lowered row limit of a batch.
    case batchRows(Int)
    /// Give the run back, so that it can be resumed, or end it as cancelled.
    case release(cancelled: Bool)

    /// Whether the task must be done even after a lost connection and at the end of the run. Nobody else knows the end
    /// of an attempt, and without its record a failure would not count. All other requests of the dispatching machine
    /// are void then, and periodic tasks come again.
    var isLasting: Bool {
        switch self {
        case .left, .batchRows, .release, .dispatch(.recordAttempt): true
        case .dispatch, .renew, .note: false
        }
    }

    /// Whether it gives a worker a shard, whose row somebody may hold for long.
    var isLease: Bool { if case .dispatch(.recordLease) = self { true } else { false } }

    /// Whether it only notes that a worker has left.
    var isDeparture: Bool { if case .left = self { true } else { false } }

    /// Whether one waiting task stands for all equal ones that come before its turn.
    var isPeriodic: Bool { self == .renew || self == .note }
}
