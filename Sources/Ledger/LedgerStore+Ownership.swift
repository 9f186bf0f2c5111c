import Postgres
public import Sharding

extension LedgerStore {
    /// Seconds that a coordinator owns its run without renewing.
    static let ownershipSeconds = 15

    /// Takes the run over: raises its term and makes this process its coordinator. Shards that had failed get new
    /// attempts.
    ///
    /// A run that is to be cancelled, whose coordinator did not come to it, is cancelled here instead.
    /// - Throws: `LedgerError` with code `owned` while another coordinator is alive; `wrongState` when the run is over;
    ///   `damaged` when its shards do not tile its key space.
    public func takeOver(
        _ id: RunID, as coordinator: WorkerID, host: String, pid: Int32, text: String? = nil, directory: String? = nil
    ) throws -> Ownership {
        try takeOver(id, as: coordinator, host: host, pid: pid, text: text, directory: directory, tries: Self.takeTries)
    }

    private static let takeTries = 3

    private func takeOver(
        _ id: RunID, as coordinator: WorkerID, host: String, pid: Int32, text: String?, directory: String?, tries: Int
    ) throws -> Ownership {
        let taken = try transaction { () -> Ownership? in
            let ownership = try own(id, as: coordinator, host: host, pid: pid, text: text, directory: directory)
            if ownership != nil { try checkTiling(of: id) }
            return ownership
        }
        if let taken { return taken }
        let run = try run(id)
        // The owner's time may have run out between the two looks: the run is to be had now.
        if run.coordinator == nil, run.state.isUnfinished, !run.cancelAsked, tries > 1 {
            return try takeOver(
                id, as: coordinator, host: host, pid: pid, text: text, directory: directory, tries: tries - 1)
        }
        if let owner = run.coordinator {
            throw LedgerError(
                .owned(by: owner), "run \(id) is at work under another coordinator, \(owner)",
                mend: "coord status \(id)")
        }
        if run.cancelAsked, run.state.isUnfinished {
            try cancel(id)
            throw LedgerError(
                .wrongState(RunRecord.State.cancelled.rawValue),
                "run \(id) was to be cancelled when its coordinator stopped: it is cancelled now",
                mend: "coord start JOB starts a new run")
        }
        throw LedgerError(
            .wrongState(run.state.rawValue), "run \(id) is \(run.state.rawValue): nothing is left to do",
            mend: "coord start JOB --new")
    }

    private func own(
        _ id: RunID, as coordinator: WorkerID, host: String, pid: Int32, text: String?, directory: String?
    ) throws -> Ownership? {
        let result = try connection.execute(
            """
            UPDATE \(ledger).run AS r SET term = term + 1, coordinator = $2::uuid, coordinator_host = $3,
                coordinator_pid = $4::int, backend_pid = pg_backend_pid(),
                backend_start = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()),
                lease_until = clock_timestamp() + make_interval(secs => \(Self.ownershipSeconds)), state = 'running',
                started_at = COALESCE(started_at, clock_timestamp()), finished_at = NULL,
                definition = COALESCE($5, definition), directory = COALESCE($6, directory)
            WHERE id = $1::bigint AND NOT COALESCE(\(Self.ownerIsAlive), false)
                AND state NOT IN ('complete', 'cancelled') AND desired = 'running'
            RETURNING term
            """, [id.description, coordinator.rawValue, host, "\(pid)", text, directory])
        guard result.rows == 1, let term = result.int(0, 0) else { return nil }
        try connection.execute(
            """
            UPDATE \(ledger).shard SET state = 'pending', failures = 0, owner = NULL
            WHERE run_id = $1::bigint AND state = 'failed'
            """, [id.description])
        try noteAllLeft(id)
        return Ownership(run: id, coordinator: coordinator, term: term)
    }

    /// What the coordinator reads at each renewal.
    public struct Renewal: Sendable, Equatable {
        /// An older coord asks so. This one's `cancel` ends the ownership instead.
        public var cancelAsked: Bool
    }

    /// Prolongs the ownership. Nil when there is none any more: `standing` says why.
    ///
    /// The session is entered anew, since it changes with a reconnect.
    public func renew(_ ownership: Ownership, rowsPerSecond: Double) throws -> Renewal? {
        let result = try connection.execute(
            """
            UPDATE \(ledger).run SET lease_until = clock_timestamp() + make_interval(secs => \(Self.ownershipSeconds)),
                rows_per_second = $4::double precision, backend_pid = pg_backend_pid(), backend_start =
                    (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())
            WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint AND state = 'running'
            RETURNING desired = 'cancelled'
            """, ownership.parameters + ["\(rowsPerSecond)"])
        guard result.rows == 1 else { return nil }
        return Renewal(cancelAsked: result.bool(0, 0) ?? false)
    }

    /// What has become of a coordinator's run.
    public enum Standing: Sendable, Equatable {
        /// It still is this coordinator's.
        case owned
        case cancelled
        /// It has ended, with these shards. It may be this coordinator that ended it, in a commit whose answer was lost.
        case ended(ShardCounts)
        /// Another coordinator has taken it over, or had.
        case taken
    }

    /// Why an ownership was refused.
    /// - Throws: `LedgerError` with code `damaged` when the run's row is gone, or holds what no coordinator has written.
    public func standing(_ ownership: Ownership) throws -> Standing {
        let record: RunRecord
        do {
            record = try run(ownership.run)
        } catch let error as LedgerError where error.code == .unknownRun {
            throw LedgerError.gone(ownership.run)
        }
        let state = record.state
        if state == .cancelled { return .cancelled }
        if record.term != ownership.term { return .taken }
        let owner = try connection.execute(
            "SELECT coordinator FROM \(ledger).run WHERE id = $1::bigint", [ownership.run.description]
        ).text(0, 0)
        let open = record.counts.pending + record.counts.running
        switch (owner, state) {
        case (ownership.coordinator.rawValue, .running): return .owned
        case (nil, .complete) where open + record.counts.failed == 0: return .ended(record.counts)
        case (nil, .partial) where open == 0, (nil, .failed) where open == 0: return .ended(record.counts)
        default:
            throw LedgerError.damaged(
                ownership.run,
                "expected it running under the coordinator of term \(ownership.term), and found it \(state.rawValue) "
                    + "with \(owner.map { "coordinator \($0)" } ?? "no coordinator") and \(open) shards open")
        }
    }

    /// Gives the run back in a state from which it can be resumed, or ends it as cancelled. A run that is to be cancelled
    /// ends so whatever is asked for.
    /// - Returns: the state as written; nil where the run was not this coordinator's any more.
    @discardableResult
    public func release(_ ownership: Ownership, as state: RunRecord.State) throws -> RunRecord.State? {
        try transaction {
            let result = try connection.execute(
                """
                UPDATE \(ledger).run SET state = CASE WHEN desired = 'cancelled' THEN 'cancelled' ELSE $4 END,
                    coordinator = NULL, lease_until = NULL, rows_per_second = 0, finished_at =
                        CASE WHEN desired = 'cancelled' OR $4 = 'cancelled' THEN clock_timestamp() END
                WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint AND state = 'running'
                RETURNING state
                """, ownership.parameters + [state.rawValue])
            guard result.rows == 1, let written = result.text(0, 0).flatMap(RunRecord.State.init) else { return nil }
            if written == .cancelled { try takeBackLeases(of: ownership.run) }
            return written
        }
    }

    /// Ends the run when the ledger says that no shard is open (I5): complete, partial, or failed.
    ///
    /// - Returns: the counts; the run is ended exactly when none is pending or running. Nil when it is not this
    ///   coordinator's any more.
    /// - Throws: `LedgerError` with code `damaged` when the shards do not tile the run's key space (I4).
    public func conclude(_ ownership: Ownership) throws -> ShardCounts? {
        try transaction {
            let held = try connection.execute(
                """
                SELECT FROM \(ledger).run
                WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint AND state = 'running'
                FOR NO KEY UPDATE
                """, ownership.parameters)
            guard held.rows == 1 else { return nil }
            let tiled = try checkTiling(of: ownership.run)
            let result = try connection.execute(
                """
                WITH counted AS (
                    SELECT count(*) FILTER (WHERE state = 'pending') AS pending,
                        count(*) FILTER (WHERE state = 'running') AS running,
                        count(*) FILTER (WHERE state = 'done') AS done,
                        count(*) FILTER (WHERE state = 'failed') AS failed
                    FROM \(ledger).shard WHERE run_id = $1::bigint
                ), concluded AS (
                    UPDATE \(ledger).run SET state = CASE WHEN failed = 0 THEN 'complete' WHEN done > 0 THEN 'partial'
                        ELSE 'failed' END, coordinator = NULL, lease_until = NULL, finished_at = clock_timestamp()
                    FROM counted
                    WHERE id = $1::bigint AND pending + running = 0 AND done + failed = $2::bigint
                    RETURNING id
                )
                SELECT pending, running, done, failed, EXISTS (SELECT FROM concluded) FROM counted
                """, [ownership.run.description, "\(tiled)"])
            func int(_ column: Int) -> Int { Int(result.int(0, column) ?? 0) }
            let counts = ShardCounts(pending: int(0), running: int(1), done: int(2), failed: int(3))
            guard result.bool(0, 4) == true || counts.pending + counts.running > 0 else {
                throw LedgerError.damaged(
                    ownership.run, "expected its \(tiled) shards, and a moment later found \(counts.total)")
            }
            return counts
        }
    }
}
