import Sharding

/// The role that cancels a run, even against its coordinator and against sessions that hold its rows.
package struct RunCancellation: LedgerRole {
    let session: LedgerSession
    package init(_ session: LedgerSession) { self.session = session }

    /// The result of a cancel.
    package struct Cancellation: Sendable, Equatable {
        /// The coordinator that was at work. At its next renewal it learns that it has lost the run.
        package var coordinator: String?
        /// The sessions that the cancel has ended.
        package var ended: [LockHolder]
    }

    /// Ends the run for good, and takes it from its coordinator if one is at work.
    ///
    /// One transaction takes the owner away and raises the term and the epochs of the leased shards. After its commit,
    /// no lease is given and no batch commits any more. The transaction waits for batches under way.
    ///
    /// A run with an unknown state can be cancelled too: so a damaged run is given up.
    ///
    /// - Parameter force: end the sessions that hold the run's rows locked, and try again.
    /// - Throws: `LedgerError` with code `wrongState` when the run is over; `locked` when sessions hold its rows for
    ///   longer than the lock timeout. Then nothing has changed.
    @discardableResult
    package func cancel(_ id: RunID, force: Bool = false) throws -> Cancellation {
        let (coordinator, ended) = try session.asMember(of: .coordinator, "run \(id) was not cancelled") {
            try awaitingLocks(of: id, force: force) {
                try session.transaction {
                    let run = try lock(id)
                    guard run.isUnfinished else {
                        throw LedgerError(.wrongState(run.state), "run \(id) is \(run.state) already")
                    }
                    try end(id)
                    return run.owner
                }
            }
        }
        return Cancellation(coordinator: coordinator, ended: ended)
    }

    /// Cancels a run in the transaction that makes its replacement.
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
        /// The state's text, unchecked.
        var state: String
        var term: Int64
        /// Host and pid of the coordinator; nil if none is alive.
        var owner: String?

        var isUnfinished: Bool { RunState(rawValue: state)?.isUnfinished ?? true }
    }

    /// Locks the run's row until the transaction ends, and reads it under the lock.
    private func lock(_ id: RunID) throws -> Locked {
        try limitLockWaits()
        guard let (state, term) = try session.first(LockRun(run: id)) else { throw LedgerError.unknown(id) }
        // A separate statement, so that it looks up sessions after the wait for the lock.
        return Locked(state: state, term: term, owner: try session.only(ReadOwner(run: id)))
    }

    /// Ends the run. Needs the lock on the run's row.
    private func end(_ id: RunID) throws {
        try session.run(EndRun(run: id))
        try takeBackLeases(of: id)
    }

    /// Raises the epoch of every leased shard of a cancelled run, so that the fence refuses workers with old leases.
    /// Waits for batches under way.
    func takeBackLeases(of run: RunID) throws { try session.run(TakeBackLeases(run: run)) }
}
