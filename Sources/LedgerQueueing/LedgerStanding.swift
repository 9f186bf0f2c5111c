/// What has become of a run that the ledger refused to a coordinator.
package enum LedgerStanding: Equatable, Sendable {
    /// It still is this coordinator's.
    case owned
    case cancelled
    /// It has ended. It may be this coordinator that ended it, in a commit whose answer was lost.
    case ended(done: Int, failed: Int)
    /// Another coordinator has taken it over, or had.
    case taken
}
