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
        do {
            return try session.writingTexts { writable in
                try session.transaction { try ask(run, from: writable(host)) }
            }
        } catch let error as PostgresError where error.sqlState == Self.lockTimeout {
            throw LedgerError(
                .locked(by: []),
                "run \(run) was not paused, and nothing was changed: for \(PostgresSession.lockTimeoutSeconds) s its rows "
                    + "in the ledger were held locked", mend: "coord pause \(run)   tries again", cause: error)
        }
    }

    private static let lockTimeout = "55P03"

    private func ask(_ run: RunID, from host: String) throws -> Pausing {
        try session.connection.execute(script: "SET LOCAL lock_timeout = '\(PostgresSession.lockTimeoutSeconds)s'")
        guard let found = try session.first(LockDesire(run: run)) else { throw LedgerError.unknown(run) }
        guard found.state.isUnfinished else {
            throw LedgerError(
                .wrongState(found.state.rawValue),
                "run \(run) is \(found.state.rawValue) already: nothing is left to pause",
                mend: "coord status \(run)")
        }
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
