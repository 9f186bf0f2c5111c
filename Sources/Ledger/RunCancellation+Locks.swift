import Postgres
import Sharding

// Sessions that hold locks on the rows of a run.
extension RunCancellation {
    /// Tries of a cancel while the holders of locks leave or are ended.
    static let cancelTries = 3
    /// Seconds that a session has to end after it was told to.
    static let terminationSeconds = 5

    /// Sets the lock timeout of the open transaction.
    func limitLockWaits() throws {
        try session.connection.execute(script: "SET LOCAL lock_timeout = '\(PostgresSession.lockTimeoutSeconds)s'")
    }

    /// Runs `body`, and finds the holders when it meets a lock on the run's rows.
    ///
    /// - Parameter force: end those sessions, and try again.
    /// - Returns: the result of `body`, and the sessions that were ended.
    func awaitingLocks<R>(of run: RunID?, force: Bool, _ body: () throws -> R) throws -> (
        value: R, ended: [LockHolder]
    ) {
        guard let run else { return (try body(), []) }
        var ended: [LockHolder] = []
        for _ in 0..<Self.cancelTries {
            do {
                return (try body(), ended)
            } catch let error as PostgresError where ["55P03", "40P01", "57014"].contains(error.sqlState) {
                // A lock timeout, a deadlock, or a statement timeout after several batches in a row were first. The
                // holder may have let go meanwhile.
                let holders = try lockHolders(of: run, since: PostgresSession.lockTimeoutSeconds - 1)
                if holders.isEmpty { continue }
                guard force else { throw Self.locked(run, by: holders) }
                ended += try terminate(holders, of: run)
            }
        }
        throw LedgerError(
            .locked(by: []),
            "run \(run) was not cancelled, and nothing was changed: each of \(Self.cancelTries) tries waited in vain for "
                + "rows of its ledger that one session after another held locked",
            mend: "coord cancel \(run), again")
    }

    private static func locked(_ run: RunID, by holders: [LockHolder]) -> LedgerError {
        LedgerError(
            .locked(by: holders),
            "run \(run) was not cancelled, and nothing was changed: for \(PostgresSession.lockTimeoutSeconds) s its rows "
                + "in the ledger were held locked\n  " + holders.map(\.description).joined(separator: "\n  "),
            mend: "coord cancel \(run)   tries again; batches that only take long are over then\n  "
                + "coord cancel \(run) --force   ends these sessions (pg_terminate_backend), whose transactions roll "
                + "back, and tries again")
    }

    /// Ends the sessions.
    /// - Throws: `LedgerError` with code `locked` when this role may not end a session, or when one does not end.
    private func terminate(_ holders: [LockHolder], of run: RunID) throws -> [LockHolder] {
        let known = holders.filter { $0.pid != nil }
        guard !known.isEmpty else {
            throw LedgerError(
                .locked(by: holders),
                "run \(run) was not cancelled, and nothing was changed: no session is known to hold these locks\n  "
                    + holders.map(\.description).joined(separator: "\n  "),
                mend: "look at pg_locks and pg_prepared_xacts as a superuser")
        }
        for holder in known {
            do {
                try session.run(TerminateSession(holder: holder, run: run))
            } catch {
                guard error.recovery == .authorize else { throw error }
                throw LedgerError(
                    .locked(by: holders),
                    "run \(run) was not cancelled, and nothing was changed: this role may not end a session that holds "
                        + "its rows locked\n  \(holder)",
                    mend: "GRANT pg_signal_backend to this role, or let the session's own role or a superuser run: "
                        + "coord cancel \(run) --force", cause: error)
            }
        }
        for _ in 0..<Self.terminationSeconds * 10 {
            if try session.only(CountSessions(pids: known.compactMap(\.pid))) == 0 { return known }
            try session.run(Pause(seconds: 0.1))
        }
        let left = try lockHolders(of: run).filter { holder in known.contains { $0.pid == holder.pid } }
        if left.isEmpty { return known }
        let pid = left[0].pid.map { "\($0)" } ?? "?"
        throw LedgerError(
            .locked(by: left),
            "run \(run) was not cancelled, and nothing was changed: told to end, a session has not within "
                + "\(Self.terminationSeconds) s; its server process may be stopped\n  "
                + left.map(\.description).joined(separator: "\n  "),
            mend: "on the server's host: ps -o pid,stat,wchan:30,cmd -p \(pid)\n  "
                + "kill -CONT \(pid)   lets a stopped one (stat T) go on, and end; then coord cancel \(run)\n  "
                + "never kill -9: the server would restart with all its sessions")
    }

    /// Finds the sessions that hold locks on the run's row or on the row of a leased shard.
    ///
    /// A locked row's `xmax` is the holder's transaction, and that transaction's own lock names the session. When
    /// several sessions share the lock, `xmax` is no transaction; then the session in the shard's row counts.
    ///
    /// - Parameter seconds: leave out sessions with a younger transaction, if this role may see its age: a transaction
    ///   that began during a wait cannot be the cause of that wait.
    func lockHolders(of run: RunID, since seconds: Int = 0) throws -> [LockHolder] {
        try session.rows(ReadLockHolders(run: run, seconds: seconds))
    }
}
