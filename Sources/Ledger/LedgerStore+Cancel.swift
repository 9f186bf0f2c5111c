import Postgres
public import Sharding

extension LedgerStore {
    /// How often a cancel is tried against locks whose holders have gone, or were ended, when they are looked for.
    static let cancelTries = 3
    /// Seconds that a session which was told to end may take.
    static let terminationSeconds = 5

    /// What a cancel did.
    public struct Cancellation: Sendable, Equatable {
        /// The coordinator that was at work: it learns at its next renewal that the run is not its own any more.
        public var coordinator: String?
        /// Sessions that were ended for it.
        public var ended: [LockHolder]
    }

    /// Ends the run for good, and takes it from its coordinator where one is at work.
    ///
    /// All in one transaction: the run is nobody's, its term grows, and so do the epochs of the shards that are leased.
    /// When it has committed, no lease is given and no batch commits any more. Batches under way are waited for.
    ///
    /// - Parameter force: end the sessions that hold the run's rows locked, and try again.
    /// - Throws: `LedgerError` with code `wrongState` when the run is over; `locked` when sessions hold its rows longer
    ///   than the lock timeout. Nothing was changed then.
    @discardableResult
    public func cancel(_ id: RunID, force: Bool = false) throws -> Cancellation {
        let (coordinator, ended) = try awaitingLocks(of: id, force: force) {
            try transaction {
                let run = try lock(id)
                guard run.state.isUnfinished else {
                    throw LedgerError(.wrongState(run.state.rawValue), "run \(id) is \(run.state.rawValue) already")
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
        if run.state == .cancelled { return }
        guard run.owner == nil, run.term == old.term, run.state.isUnfinished else {
            throw LedgerError(
                .owned(by: run.owner ?? "?"),
                "run \(old.id) of \(old.definition.name) was taken over "
                    + (run.owner.map { "by another coordinator, \($0), " } ?? "") + "meanwhile, and is "
                    + "\(run.state.rawValue): it was not cancelled, and nothing was started",
                mend: "coord status \(old.id)")
        }
        try end(old.id)
    }

    private struct Locked {
        var state: RunRecord.State
        var term: Int64
        /// Host and pid of its coordinator, when it is alive.
        var owner: String?
    }

    /// Locks the run's row until the transaction ends, and reads it as it is then.
    private func lock(_ id: RunID) throws -> Locked {
        try connection.execute("SET LOCAL lock_timeout = '\(PostgresSession.lockTimeoutSeconds)s'")
        let lock = try connection.execute(
            "SELECT state, term FROM \(ledger).run WHERE id = $1::bigint FOR NO KEY UPDATE", [id.description])
        guard lock.rows == 1 else { throw Self.unknown(id) }
        // A statement of its own, so that sessions are looked up after the wait.
        let owner = try connection.execute(
            """
            SELECT r.coordinator_host || ' pid ' || r.coordinator_pid FROM \(ledger).run AS r
            WHERE r.id = $1::bigint AND \(Self.ownerIsAlive)
            """, [id.description])
        return Locked(
            state: lock.text(0, 0).flatMap(RunRecord.State.init) ?? .failed, term: lock.int(0, 1) ?? 0,
            owner: owner.rows == 1 ? owner.text(0, 0) : nil)
    }

    /// The run's row is locked.
    private func end(_ id: RunID) throws {
        try connection.execute(
            """
            UPDATE \(ledger).run SET state = 'cancelled', desired = 'cancelled', coordinator = NULL, lease_until = NULL,
                term = term + 1, rows_per_second = 0, finished_at = clock_timestamp()
            WHERE id = $1::bigint
            """, [id.description])
        try takeBackLeases(of: id)
    }

    /// Raises the epoch of every leased shard of a run that is cancelled: a worker that still has one is refused by the
    /// fence. A batch under way is waited for.
    func takeBackLeases(of run: RunID) throws {
        try connection.execute(
            """
            WITH taken AS (
                UPDATE \(ledger).shard SET epoch = epoch + 1, owner = NULL, state = 'pending'
                WHERE run_id = $1::bigint AND state = 'running' RETURNING id
            )
            UPDATE \(ledger).attempt SET ended_at = clock_timestamp(), outcome = 'superseded' FROM taken
            WHERE run_id = $1::bigint AND shard_id = taken.id AND ended_at IS NULL
            """, [run.description])
    }

    // MARK: - Locks

    /// Runs `body`, and finds out who is in its way when it meets a lock of the run's rows.
    ///
    /// - Parameter force: end those sessions, and try again.
    /// - Returns: what `body` gives, and the sessions that were ended.
    func awaitingLocks<R>(of run: RunID?, force: Bool, _ body: () throws -> R) throws -> (
        value: R, ended: [LockHolder]
    ) {
        guard let run else { return (try body(), []) }
        var ended: [LockHolder] = []
        for _ in 0..<Self.cancelTries {
            do {
                return (try body(), ended)
            } catch let error as PostgresError where ["55P03", "40P01", "57014"].contains(error.sqlState) {
                // A lock's timeout, a deadlock, or the statement's where one batch after another was first. Whoever it
                // was may have let go meanwhile.
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
    /// - Throws: `LedgerError` with code `locked` when this role may not, or one does not end.
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
                try connection.execute(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE pid = $1::int AND COALESCE(backend_start = $2::timestamptz, true)
                    """, [holder.pid.map { "\($0)" }, holder.backendStart])
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
        let pids = "{" + known.compactMap { $0.pid.map { "\($0)" } }.joined(separator: ",") + "}"
        for _ in 0..<Self.terminationSeconds * 10 {
            let left = try connection.execute(
                "SELECT FROM pg_stat_activity WHERE pid = ANY ($1::int[])", [pids])
            if left.rows == 0 { return known }
            try connection.execute("SELECT pg_sleep(0.1)")
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
}
