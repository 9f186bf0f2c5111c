import Sharding

/// The coordinator's role: it owns a run and leads it.
///
/// Methods that change a run carry the coordinator's term, and do nothing when another coordinator has taken the run
/// over.
package struct CoordinatorLedger: LedgerRole {
    let session: LedgerSession
    package init(_ session: LedgerSession) { self.session = session }

    /// Seconds that an ownership lasts without a renewal.
    static let ownershipSeconds = 15

    private static let takeTries = 3

    /// Takes the run over: raises its term and makes this process its coordinator. Shards that had failed get new
    /// attempts.
    ///
    /// A run whose requested cancel its coordinator has not carried out is cancelled here instead.
    ///
    /// - Parameter endsPause: whether the run goes on even if somebody asked that it be paused; then that is over.
    /// - Throws: `LedgerError` with code `owned` while another coordinator is alive; `wrongState` when the run is over;
    ///   `paused`; `damaged` when its shards do not tile its key space.
    package func takeOver(
        _ id: RunID, as coordinator: WorkerID, host: String, pid: Int32, text: String? = nil, directory: String? = nil,
        endsPause: Bool = false
    ) throws -> Ownership {
        let taking = TakeOver(
            run: id, coordinator: coordinator, host: host, pid: pid, text: text, directory: directory,
            endsPause: endsPause)
        return try takeOver(taking, tries: Self.takeTries)
    }

    private func takeOver(_ taking: TakeOver, tries: Int) throws -> Ownership {
        let id = taking.run
        let taken = try session.asMember(of: .coordinator, "run \(id) was not taken up") {
            try session.writingTexts { writable in
                var taking = taking
                taking.host = writable(taking.host)
                return try session.transaction { try own(taking) }
            }
        }
        if let taken { return taken }
        let run = try LedgerReader(session).run(id)
        // The owner's time may have run out between the two looks. Then the run is free now.
        let isPaused = run.pausedBy != nil && !taking.endsPause
        if run.coordinator == nil, run.state.isUnfinished, !run.cancelAsked, !isPaused, tries > 1 {
            return try takeOver(taking, tries: tries - 1)
        }
        if let owner = run.coordinator {
            throw LedgerError(
                .owned(by: owner), "run \(id) is at work under another coordinator, \(owner)",
                mend: "coord status \(id)")
        }
        if let who = run.pausedBy, isPaused, run.state.isUnfinished { throw LedgerError.paused(id, by: who) }
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

    /// The coordinator's reading at each renewal.
    package struct Renewal: Sendable, Equatable {
        /// Whether an older coord has requested a cancel. The `cancel` of this version ends the ownership instead.
        package var cancelAsked: Bool
        /// Who asked that the run be paused; nil where nobody did.
        package var pausedBy: String?
        /// The limits that somebody has set and that hold now; nil for none.
        package var pace: Pace?
    }

    /// Renews the ownership. Nil when it is lost: `standing` gives the reason.
    ///
    /// Each renewal also notes the session, since a reconnect changes it.
    package func renew(_ ownership: Ownership, rowsPerSecond: Double) throws -> Renewal? {
        try session.first(Renew(ownership: ownership, rowsPerSecond: rowsPerSecond))
    }

    /// The standing of a coordinator's run.
    package enum Standing: Sendable, Equatable {
        /// The run still is this coordinator's.
        case owned
        case cancelled
        /// Somebody paused the run while this coordinator's session was lost. Its leases were taken back.
        case paused(by: String)
        /// The run has ended with these shards, possibly by this coordinator's own commit whose answer was lost.
        case ended(ShardCounts)
        /// Another coordinator has, or had, taken the run over.
        case taken
    }

    /// The reason why an ownership was refused.
    ///
    /// One statement reads everything: between two statements another coordinator could take the run over, and the
    /// result would mix both.
    /// - Throws: `LedgerError` with code `damaged` when the run's row is gone, or holds values that no coordinator
    ///   writes.
    package func standing(_ ownership: Ownership) throws -> Standing {
        guard let found = try session.first(ReadStanding(run: ownership.run)) else {
            throw LedgerError.gone(ownership.run)
        }
        if found.state == .cancelled { return .cancelled }
        if found.state == .paused, let who = found.pausedBy { return .paused(by: who) }
        if found.term != ownership.term { return .taken }
        let counts = found.counts
        switch (found.coordinator, found.state) {
        case (ownership.coordinator, .running): return .owned
        // A failover may lose a takeover. Then two coordinators have had the same term.
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

    /// Gives the run back in a state from which it can be resumed, or ends it as cancelled. A run with a requested
    /// cancel always ends as cancelled.
    /// - Returns: the written state; nil if this coordinator did not own the run any more.
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
    /// - Returns: the counts. The run has ended exactly when no shard is pending or running. Nil if this coordinator
    ///   does not own the run any more.
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
