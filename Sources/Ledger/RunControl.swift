import Postgres
import Sharding

/// The role that says what is wanted of a run. The run's coordinator reads it at its next renewal, and obeys.
package struct RunControl: LedgerRole {
    private let session: LedgerSession
    package init(_ session: LedgerSession) { self.session = session }

    /// What a request for a pause has led to.
    package struct Pausing: Sendable, Equatable {
        /// Whether this request changed anything.
        package var isNew: Bool
        /// Who asked first: role and host.
        package var askedBy: String
        /// The coordinator that is at work, and drains its workers; nil where the run is paused already.
        package var coordinator: String?
    }

    /// Asks that the run be paused, and stay so until somebody resumes it by its number.
    ///
    /// A coordinator at work obeys at its next renewal. Without one the run is paused in the same transaction, which also
    /// takes the leases of left workers back, and waits for batches under way.
    ///
    /// - Parameter host: from where it is asked.
    /// - Throws: `LedgerError` with code `wrongState` when the run is over or about to be; `unknownRun`; `locked` when a
    ///   session holds its rows for longer than the lock timeout. Then nothing has changed.
    package func pause(_ run: RunID, from host: String) throws -> Pausing {
        try changing(run, "was not paused", command: "coord pause \(run)", host) { try ask(run, from: $0) }
    }

    /// What a change of a run's pace has led to.
    package struct Pacing: Sendable, Equatable {
        /// The limits that held before, and those that hold now; nil for none.
        package var before: Pace?
        package var after: Pace?
        /// The coordinator that is at work; nil where the limits wait for the next one.
        package var coordinator: String?

        package init(before: Pace?, after: Pace?, coordinator: String?) {
            self.before = before
            self.after = after
            self.coordinator = coordinator
        }
    }

    /// Limits the run's pace, or lifts the limits. A coordinator at work obeys at its next renewal, later ones at once.
    ///
    /// - Parameter host: from where it is asked.
    /// - Throws: `LedgerError` with code `wrongState` when the run is over; `unknownRun`; `locked` when a session holds its row
    ///   for longer than the lock timeout. Then nothing has changed.
    package func pace(_ run: RunID, _ change: PaceChange, from host: String) throws -> Pacing {
        try changing(run, "keeps its pace", command: "coord pace \(run) …", host) { host in
            let found = try unfinished(run, "to pace")
            let after = try session.only(
                SetPace(
                    run: run, writers: change.writers.after(found.pace?.writers.map { Int64($0) }),
                    rows: change.rowsPerSecond.after(found.pace?.rowsPerSecond), seconds: change.seconds,
                    keepsEnd: found.pace != nil, host: host))
            return Pacing(
                before: found.pace, after: after, coordinator: try session.only(RunCancellation.ReadOwner(run: run)))
        }
    }

    /// Changes the run's row in a transaction that does not wait for long.
    private func changing<Answer>(
        _ run: RunID, _ unchanged: String, command: String, _ host: String, _ body: (_ host: String) throws -> Answer
    ) throws -> Answer {
        do {
            return try session.asMember(of: .coordinator, "run \(run) \(unchanged)") {
                try session.writingTexts { writable in
                    try session.transaction {
                        let timeout = "SET LOCAL lock_timeout = '\(PostgresSession.lockTimeoutSeconds)s'"
                        try session.connection.execute(script: timeout)
                        return try body(writable(host))
                    }
                }
            }
        } catch let error as PostgresError where error.sqlState == Self.lockTimeout {
            throw LedgerError(
                .locked(by: []),
                "run \(run) \(unchanged), and nothing was changed: for \(PostgresSession.lockTimeoutSeconds) s its rows "
                    + "in the ledger were held locked", mend: "\(command)   tries again", cause: error)
        }
    }

    /// Locks the run's row.
    private func unfinished(_ run: RunID, _ what: String) throws -> LockDesire.Found {
        guard let found = try session.first(LockDesire(run: run)) else { throw LedgerError.unknown(run) }
        guard found.state.isUnfinished else {
            throw LedgerError(
                .wrongState(found.state.rawValue),
                "run \(run) is \(found.state.rawValue) already: nothing is left \(what)", mend: "coord status \(run)")
        }
        return found
    }

    private static let lockTimeout = "55P03"

    private func ask(_ run: RunID, from host: String) throws -> Pausing {
        let found = try unfinished(run, "to pause")
        guard found.desire != .cancelled else {
            throw LedgerError(
                .wrongState(RunState.cancelled.rawValue), "run \(run) is to be cancelled: it cannot be paused",
                mend: "coord status \(run)")
        }
        // A separate statement, so that it looks up sessions after the wait for the lock.
        let coordinator = try session.only(RunCancellation.ReadOwner(run: run))
        var who = found.pausedBy
        if who == nil { who = try session.only(AskPause(run: run, host: host)) }
        let isAtOnce = coordinator == nil && (found.pausedBy == nil || found.state != .paused)
        if isAtOnce {
            try session.run(PauseNow(run: run))
            try session.run(RunCancellation.TakeBackLeases(run: run))
        }
        return Pausing(isNew: found.pausedBy == nil || isAtOnce, askedBy: who ?? "", coordinator: coordinator)
    }
}
