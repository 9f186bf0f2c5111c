/// The reason why a coordinator cannot go on.
package enum LedgerStop: Equatable, Sendable {
    /// Another coordinator has the run.
    case ousted
    /// The ledger was away for longer than the queue's patience.
    case away(LedgerFailure)
    /// A task failed for good.
    case failed(LedgerFailure)
}
