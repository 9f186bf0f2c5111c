package import Sharding

/// What the shell must do, in order. At most one of `ask`, `inquire` and `pause` is under way at any time.
package enum LedgerQueueAction: Equatable, Sendable {
    /// Do the task in the ledger. Answer with `answered`; with `refused` where the run is not this coordinator's any more;
    /// or with `failed`.
    case ask(LedgerTask)
    /// Ask the ledger what has become of the run. Answer with `standingRead` or `failed`.
    case inquire
    /// Let the time pass, then say `pauseEnded`.
    case pause(Duration)
    /// End the session of the shard's last worker, which may hold its row in a statement that is stuck. It need not work.
    case endHolder(ShardID)
    /// Tell the dispatching machine `ledgerLost`. The queue asks for the reload by itself.
    case suspendDispatch
    /// Say once that the ledger was lost.
    case announceLoss(LedgerFailure)
    /// Show that the database is away, and why by now; nil when it is back.
    case noteAway(LedgerFailure?)
    /// The run was cancelled, and its leases taken back: end, and say so by `runEnded`.
    case obeyCancel
    /// The run is over, by a commit of this coordinator whose answer was lost: end, and say so by `runEnded`.
    case conclude(done: Int, failed: Int)
    /// A task of the run's end failed, and is left undone.
    case giveUp(LedgerTask, LedgerFailure)
    /// The ledger has the run back, or it is not known to have: the coordinator may leave.
    case leave
    /// End at once. The queue does nothing more.
    case stop(LedgerStop)
}
