/// The standing of a run after the ledger has refused its coordinator.
package enum LedgerStanding: Equatable, Sendable {
    /// The run still is this coordinator's.
    case owned
    case cancelled
    /// Somebody paused the run while this coordinator's session was lost. Its leases were taken back.
    case paused(by: String)
    /// The run has ended, possibly by this coordinator's own commit whose answer was lost.
    case ended(done: Int, failed: Int)
    /// Another coordinator has, or had, taken the run over.
    case taken
}
