package import Sharding

/// An order to the shell, which carries out orders in sequence. At most one of `ask`, `inquire` and `pause` is under
/// way at any time.
package enum LedgerQueueAction: Equatable, Sendable {
    /// Do the task in the ledger. Answer with `answered`; with `refused` if this coordinator does not own the run any
    /// more; or with `failed`.
    case ask(LedgerTask)
    /// Read the run's standing in the ledger. Answer with `standingRead` or `failed`.
    case inquire
    /// Let the time pass, then answer with `pauseEnded`.
    case pause(Duration)
    /// End the session of the shard's last worker: a stuck statement of that session may hold the shard's row. A
    /// failure of this is ignored.
    case endHolder(ShardID)
    /// Tell the dispatching machine `ledgerLost`. The queue asks for the reload by itself.
    case suspendDispatch
    /// Announce the loss of the ledger, once.
    case announceLoss(LedgerFailure)
    /// Show that the database is away, with the latest error; nil when it is back.
    case noteAway(LedgerFailure?)
    /// The run was cancelled and its leases were taken back: end, and answer with `runEnded`.
    case obeyCancel
    /// The run was paused by this person, and its leases were taken back: end, and answer with `runEnded`.
    case obeyPause(by: String)
    /// The run is over by this coordinator's own commit, whose answer was lost: end, and answer with `runEnded`.
    case conclude(done: Int, failed: Int)
    /// A task at the run's end failed and is left undone.
    case giveUp(LedgerTask, LedgerFailure)
    /// The run's release was written, was given up, or is not needed: the coordinator may leave.
    case leave
    /// End at once. The queue does nothing more.
    case stop(LedgerStop)
}
