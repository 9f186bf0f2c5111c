import Sharding

/// What the coordinator of a run asks of the ledger: to own the run, and to lead it while it does.
///
/// Methods that change a run carry the coordinator's term, and do nothing when another has taken the run over.
package struct CoordinatorLedger: LedgerRole {
    let session: LedgerSession
    package init(_ session: LedgerSession) { self.session = session }

    /// Seconds that a coordinator owns its run without renewing.
    static let ownershipSeconds = 15

    private static let takeTries = 3

    /// Takes the run over: raises its term and makes this process its coordinator. Shards that had failed get new
    /// attempts.
    ///
    /// A run that is to be cancelled, whose coordinator did not come to it, is cancelled here instead.
    /// - Throws: `LedgerError` with code `owned` while another coordinator is alive; `wrongState` when the run is over;
    ///   `damaged` when its shards do not tile its key space.
    package func takeOver(
        _ id: RunID, as coordinator: WorkerID, host: String, pid: Int32, text: String? = nil, directory: String? = nil
    ) throws -> Ownership {
        let taking = TakeOver(
            run: id, coordinator: coordinator, host: host, pid: pid, text: text, directory: directory)
        return try takeOver(taking, tries: Self.takeTries)
    }

    private func takeOver(_ taking: TakeOver, tries: Int) throws -> Ownership {
        let id = taking.run
        if let taken = try session.transaction({ try own(taking) }) { return taken }
        let run = try LedgerReader(session).run(id)
        // The owner's time may have run out between the two looks: the run is to be had now.
        if run.coordinator == nil, run.state.isUnfinished, !run.cancelAsked, tries > 1 {
            return try takeOver(taking, tries: tries - 1)
        }
        if let owner = run.coordinator {
            throw LedgerError(
                .owned(by: owner), "run \(id) is at work under another coordinator, \(owner)",
                mend: "coord status \(id)")
        }
        if run.cancelAsked, run.state.isUnfinished {
            try RunCancellation(session).cancel(id)
            throw LedgerError(
                .wrongState(RunState.cancelled.rawValue),
                "run \(id) was to be cancelled when its coordinator stopped: it is cancelled now",
                mend: "coord start JOB starts a new run")
        }
        throw LedgerError(
            .wrongState(run.state.rawValue), "run \(id) is \(run.state.rawValue): nothing is left to do",
            mend: "coord start JOB --new")
    }

    private func own(_ taking: TakeOver) throws -> Ownership? {
        guard let term = try session.first(taking) else { return nil }
        try session.run(ReviveFailedShards(run: taking.run))
        try noteAllLeft(taking.run)
        try checkTiling(of: taking.run)
        return Ownership(run: taking.run, coordinator: taking.coordinator, term: term)
    }

    /// What the coordinator reads at each renewal.
    package struct Renewal: Sendable, Equatable {
        /// An older coord asks so. This one's `cancel` ends the ownership instead.
        package var cancelAsked: Bool
    }

    /// Prolongs the ownership. Nil when there is none any more: `standing` says why.
    ///
    /// The session is entered anew, since it changes with a reconnect.
    package func renew(_ ownership: Ownership, rowsPerSecond: Double) throws -> Renewal? {
        try session.first(Renew(ownership: ownership, rowsPerSecond: rowsPerSecond))
    }

    /// What has become of a coordinator's run.
    package enum Standing: Sendable, Equatable {
        /// It still is this coordinator's.
        case owned
        case cancelled
        /// It has ended, with these shards. It may be this coordinator that ended it, in a commit whose answer was lost.
        case ended(ShardCounts)
        /// Another coordinator has taken it over, or had.
        case taken
    }

    /// Why an ownership was refused.
    ///
    /// All of it is read in one statement: between two, another coordinator could take the run over, and what was read
    /// would be of neither.
    /// - Throws: `LedgerError` with code `damaged` when the run's row is gone, or holds what no coordinator has written.
    package func standing(_ ownership: Ownership) throws -> Standing {
        guard let found = try session.first(ReadStanding(run: ownership.run)) else {
            throw LedgerError.gone(ownership.run)
        }
        if found.state == .cancelled { return .cancelled }
        if found.term != ownership.term { return .taken }
        let counts = found.counts
        switch (found.coordinator, found.state) {
        case (ownership.coordinator, .running): return .owned
        // After a failover that has lost a takeover, two coordinators have had the same term.
        case (_?, .running): return .taken
        case (nil, .complete) where counts.open + counts.failed == 0: return .ended(counts)
        case (nil, .partial) where counts.open == 0, (nil, .failed) where counts.open == 0: return .ended(counts)
        default:
            throw LedgerError.damaged(
                ownership.run,
                "expected it running under the coordinator of term \(ownership.term), and found it "
                    + "\(found.state.rawValue) with \(found.coordinator.map { "coordinator \($0)" } ?? "no coordinator") "
                    + "and \(counts.open) shards open")
        }
    }

    /// Gives the run back in a state from which it can be resumed, or ends it as cancelled. A run that is to be cancelled
    /// ends so whatever is asked for.
    /// - Returns: the state as written; nil where the run was not this coordinator's any more.
    @discardableResult
    package func release(_ ownership: Ownership, as state: RunState) throws -> RunState? {
        try session.transaction {
            let written = try session.first(Release(ownership: ownership, state: state))
            if written == .cancelled { try RunCancellation(session).takeBackLeases(of: ownership.run) }
            return written
        }
    }

    /// Ends the run when the ledger says that no shard is open (I5): complete, partial, or failed.
    ///
    /// - Returns: the counts; the run is ended exactly when none is pending or running. Nil when it is not this
    ///   coordinator's any more.
    /// - Throws: `LedgerError` with code `damaged` when the shards do not tile the run's key space (I4).
    package func conclude(_ ownership: Ownership) throws -> ShardCounts? {
        try session.transaction {
            guard try session.first(LockOwned(ownership: ownership)) != nil else { return nil }
            let tiled = try checkTiling(of: ownership.run)
            let (counts, isConcluded) = try session.only(Conclude(run: ownership.run, shards: tiled))
            guard isConcluded || counts.open > 0 else {
                throw LedgerError.damaged(
                    ownership.run, "expected its \(tiled) shards, and a moment later found \(counts.total)")
            }
            return counts
        }
    }
}
