import Sharding

/// Ending a run for good, whoever has it and whatever holds its rows.
package struct RunCancellation: LedgerRole {
    let session: LedgerSession
    package init(_ session: LedgerSession) { self.session = session }

    /// What a cancel did.
    package struct Cancellation: Sendable, Equatable {
        /// The coordinator that was at work: it learns at its next renewal that the run is not its own any more.
        package var coordinator: String?
        /// Sessions that were ended for it.
        package var ended: [LockHolder]
    }

    /// Ends the run for good, and takes it from its coordinator where one is at work.
    ///
    /// All in one transaction: the run is nobody's, its term grows, and so do the epochs of the shards that are leased.
    /// When it has committed, no lease is given and no batch commits any more. Batches under way are waited for.
    ///
    /// A run whose state is none that coord writes can be cancelled: it is how a damaged run is given up.
    ///
    /// - Parameter force: end the sessions that hold the run's rows locked, and try again.
    /// - Throws: `LedgerError` with code `wrongState` when the run is over; `locked` when sessions hold its rows longer
    ///   than the lock timeout. Nothing was changed then.
    @discardableResult
    package func cancel(_ id: RunID, force: Bool = false) throws -> Cancellation {
        let (coordinator, ended) = try awaitingLocks(of: id, force: force) {
            try session.transaction {
                let run = try lock(id)
                guard run.isUnfinished else {
                    throw LedgerError(.wrongState(run.state), "run \(id) is \(run.state) already")
                }
                try end(id)
                return run.owner
            }
        }
        return Cancellation(coordinator: coordinator, ended: ended)
    }

    /// Cancels a run that is replaced by a new one, in the transaction that makes the new one.
    func replace(_ old: RunRecord) throws {
        let run = try lock(old.id)
        if run.state == RunState.cancelled.rawValue { return }
        guard run.owner == nil, run.term == old.term, run.isUnfinished else {
            throw LedgerError(
                .owned(by: run.owner ?? "?"),
                "run \(old.id) of \(old.definition.name) was taken over "
                    + (run.owner.map { "by another coordinator, \($0), " } ?? "") + "meanwhile, and is "
                    + "\(run.state): it was not cancelled, and nothing was started",
                mend: "coord status \(old.id)")
        }
        try end(old.id)
    }

    private struct Locked {
        /// As it stands there.
        var state: String
        var term: Int64
        /// Host and pid of its coordinator, when it is alive.
        var owner: String?

        var isUnfinished: Bool { RunState(rawValue: state)?.isUnfinished ?? true }
    }

    /// Locks the run's row until the transaction ends, and reads it as it is then.
    private func lock(_ id: RunID) throws -> Locked {
        try limitLockWaits()
        guard let (state, term) = try session.first(LockRun(run: id)) else { throw LedgerError.unknown(id) }
        // A statement of its own, so that sessions are looked up after the wait.
        return Locked(state: state, term: term, owner: try session.only(ReadOwner(run: id)))
    }

    /// The run's row is locked.
    private func end(_ id: RunID) throws {
        try session.run(EndRun(run: id))
        try takeBackLeases(of: id)
    }

    /// Raises the epoch of every leased shard of a run that is cancelled: a worker that still has one is refused by the
    /// fence. A batch under way is waited for.
    func takeBackLeases(of run: RunID) throws { try session.run(TakeBackLeases(run: run)) }
}
