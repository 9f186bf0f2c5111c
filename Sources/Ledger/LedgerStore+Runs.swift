import Postgres
public import Sharding

/// A run as the ledger has it.
public struct RunRecord: Sendable, Equatable {
    public enum State: String, Sendable, CaseIterable {
        case planned, running, complete, partial, failed, paused, cancelled

        /// Whether the run can still be worked on.
        public var isUnfinished: Bool { self != .complete && self != .cancelled }
    }

    public var id: RunID
    public var definition: RunDefinition
    public var state: State
    public var cancelAsked: Bool
    public var rowsEstimated: Int64
    public var rowsDone: Int64
    public var rowsPerSecond: Double
    public var counts: ShardCounts
    /// Host and pid of the coordinator, while one is alive.
    public var coordinator: String?
    /// Seconds since the epoch.
    public var startedAt: Double?
    public var finishedAt: Double?
    /// How many shards were planned; nil where the ledger does not know.
    public var shardsPlanned: Int?
    /// Why the run stopped, as last told.
    public var error: String?
    /// Grows with each coordinator that takes the run over, and with a cancel.
    public var term: Int64
}

/// Numbers of a run's shards by state.
public struct ShardCounts: Sendable, Equatable {
    public var pending: Int
    public var running: Int
    public var done: Int
    public var failed: Int
    public init(pending: Int = 0, running: Int = 0, done: Int = 0, failed: Int = 0) {
        self.pending = pending
        self.running = running
        self.done = done
        self.failed = failed
    }
    public var total: Int { pending + running + done + failed }
}

/// A coordinator's hold on a run.
public struct Ownership: Sendable, Equatable {
    public var run: RunID
    /// UUID of the coordinator's process.
    public var coordinator: WorkerID
    /// Grows with each coordinator that takes the run over.
    public var term: Int64
}

extension LedgerStore {
    /// Seconds that a coordinator owns its run without renewing.
    public static let ownershipSeconds = 15

    // MARK: - Making and finding

    /// Writes a run and its shards in one transaction. The ranges must tile the key space up to the end key (I4).
    /// - Parameter rowsEstimated: rows in scope; nil for the plan's own sum.
    public func createRun(_ definition: RunDefinition, plan: ShardPlan, rowsEstimated: Int64? = nil) throws -> RunID {
        try KeyRange.checkTiling(plan.parts.map(\.range), of: KeyRange(after: nil, through: definition.endKey))
        do {
            return try transaction {
                let run = try insertRun(definition, rowsEstimated ?? plan.rowsEstimated, shards: plan.parts.count)
                try insertShards(run, plan)
                return run
            }
        } catch let error as PostgresError where error.sqlState == "23505" {
            throw LedgerError(
                .owned(by: "?"),
                "a run of \(definition.name) has just been made under another coordinator: nothing was started",
                mend: "coord status")
        }
    }

    private func insertRun(_ definition: RunDefinition, _ rowsEstimated: Int64, shards: Int) throws -> RunID {
        let sql = """
            INSERT INTO coord.run (name, definition, directory, fingerprint, table_name, rows_estimated, search_path,
                table_oid, binding, batch_rows, shards, end_key, settings)
            VALUES ($1, $2, $3, $4, $5, $6::bigint, COALESCE($7, current_setting('search_path')),
                $8::oid, $9::jsonb, $10::int, $11::int, CASE WHEN $12::boolean THEN $13::text[] END,
                jsonb_object($14::text[])) RETURNING id
            """
        var parameters = PostgresParameters([
            definition.name, definition.text, definition.directory, definition.fingerprint, definition.table,
            "\(rowsEstimated)", definition.searchPath.isEmpty ? nil : definition.searchPath,
            definition.tableOID.map { "\($0)" }, definition.binding, definition.batchRows.map { "\($0)" }, "\(shards)",
            definition.endKey == nil ? "f" : "t",
        ])
        let settings = definition.settings.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
        for list in [definition.endKey?.components ?? [], settings] {
            parameters.beginArray(elementType: ElementType.text.rawValue)
            for item in list { Array(item.utf8).withUnsafeBytes { parameters.appendElement($0) } }
            parameters.endArray()
        }
        let result = try connection.executePrepared("coord_insert_run", sql, parameters)
        return RunID(result.int(0, 0) ?? 0)
    }

    private func insertShards(_ run: RunID, _ plan: ShardPlan) throws {
        let sql = """
            INSERT INTO coord.shard (run_id, id, after_key, through_key, rows_estimated)
            SELECT $1::bigint, i, CASE WHEN a IS NOT NULL THEN ARRAY[a] END,
                CASE WHEN t IS NOT NULL THEN ARRAY[t] END, e
            FROM unnest($2::int[], $3::text[], $4::text[], $5::bigint[]) AS u(i, a, t, e)
            """
        var parameters = PostgresParameters([run.description])
        parameters.beginArray(elementType: ElementType.int4.rawValue)
        for index in plan.parts.indices { parameters.appendElement(Int32(index)) }
        parameters.endArray()
        for end in [\KeyRange.after, \KeyRange.through] {
            parameters.beginArray(elementType: ElementType.text.rawValue)
            for part in plan.parts {
                guard let key = part.range[keyPath: end] else {
                    parameters.appendNullElement()
                    continue
                }
                // One column for now; the ledger's arrays hold tuples.
                Array(key.components[0].utf8).withUnsafeBytes { parameters.appendElement($0) }
            }
            parameters.endArray()
        }
        parameters.beginArray(elementType: ElementType.int8.rawValue)
        for part in plan.parts { parameters.appendElement(part.rowsEstimated) }
        parameters.endArray()
        _ = try connection.executePrepared("coord_insert_shards", sql, parameters)
    }

    private static let definitionColumns = """
        r.name, r.definition, r.directory, r.fingerprint, r.table_name, r.search_path, r.table_oid, r.binding, r.end_key,
            ARRAY(SELECT u.item FROM jsonb_each_text(r.settings) AS s CROSS JOIN LATERAL unnest(ARRAY[s.key, s.value])
                WITH ORDINALITY AS u(item, place) ORDER BY s.key, u.place),
            r.batch_rows
        """
    private static let definitionWidth = 11

    private static let runQuery = """
        SELECT \(definitionColumns), r.id, r.state, r.desired,
            r.rows_estimated, COALESCE(s.rows_done, 0), r.rows_per_second, COALESCE(s.pending, 0),
            COALESCE(s.running, 0), COALESCE(s.done, 0), COALESCE(s.failed, 0),
            CASE WHEN \(ownerIsAlive) THEN r.coordinator_host || ' pid ' || r.coordinator_pid END,
            extract(epoch FROM r.started_at), extract(epoch FROM r.finished_at), r.shards, r.error, r.term
        FROM coord.run AS r LEFT JOIN LATERAL (
            SELECT sum(rows_done) AS rows_done, count(*) FILTER (WHERE state = 'pending') AS pending,
                count(*) FILTER (WHERE state = 'running') AS running, count(*) FILTER (WHERE state = 'done') AS done,
                count(*) FILTER (WHERE state = 'failed') AS failed
            FROM coord.shard WHERE run_id = r.id) AS s ON true
        """

    /// - Throws: `LedgerError` with code `unknownRun`.
    public func run(_ id: RunID) throws -> RunRecord {
        let result = try connection.execute(Self.runQuery + " WHERE r.id = $1::bigint", [id.description])
        guard result.rows == 1 else { throw Self.unknown(id) }
        return Self.run(result, 0)
    }

    /// What a worker needs of a run. Its figures cost far more to ask for.
    /// - Throws: `LedgerError` with code `unknownRun`.
    public func definition(of id: RunID) throws -> RunDefinition {
        let result = try connection.execute(
            "SELECT \(Self.definitionColumns) FROM coord.run AS r WHERE r.id = $1::bigint", [id.description])
        guard result.rows == 1 else { throw Self.unknown(id) }
        return Self.definition(result, 0)
    }

    private static func unknown(_ id: RunID) -> LedgerError {
        LedgerError(.unknownRun, "there is no run \(id) in this database", mend: "coord status")
    }

    /// The newest runs first, at most `limit`.
    public func runs(limit: Int = 20) throws -> [RunRecord] {
        let result = try connection.execute(Self.runQuery + " ORDER BY r.id DESC LIMIT \(limit)")
        return (0..<result.rows).map { Self.run(result, $0) }
    }

    /// The newest run of this name, when it can still be worked on.
    public func unfinishedRun(named name: String) throws -> RunRecord? {
        let result = try connection.execute(Self.runQuery + " WHERE r.name = $1 ORDER BY r.id DESC LIMIT 1", [name])
        guard result.rows == 1 else { return nil }
        let run = Self.run(result, 0)
        return run.state.isUnfinished ? run : nil
    }

    private static func definition(_ result: PostgresResult, _ row: Int) -> RunDefinition {
        func text(_ column: Int) -> String { result.text(row, column) ?? "" }
        func list(_ column: Int) -> [String]? {
            result.text(row, column).flatMap { PostgresArray.parse($0) }?.compactMap { $0 }
        }
        var settings: [String: String] = [:]
        var items = (list(9) ?? []).makeIterator()
        while let name = items.next(), let value = items.next() { settings[name] = value }
        return RunDefinition(
            name: text(0), text: text(1), directory: text(2), fingerprint: text(3), table: text(4), searchPath: text(5),
            tableOID: result.int(row, 6).map { UInt32(truncatingIfNeeded: $0) }, binding: result.text(row, 7),
            endKey: list(8).map { Key($0) }, settings: settings, batchRows: result.int(row, 10).map { Int($0) })
    }

    private static func run(_ result: PostgresResult, _ row: Int) -> RunRecord {
        // The run's own columns come behind those of its definition.
        func cell(_ column: Int) -> String? { result.text(row, definitionWidth + column) }
        func text(_ column: Int) -> String { cell(column) ?? "" }
        func int(_ column: Int) -> Int64 { Int64(text(column)) ?? 0 }
        return RunRecord(
            id: RunID(int(0)), definition: definition(result, row),
            state: RunRecord.State(rawValue: text(1)) ?? .failed, cancelAsked: text(2) == "cancelled",
            rowsEstimated: int(3), rowsDone: int(4), rowsPerSecond: Double(text(5)) ?? 0,
            counts: ShardCounts(
                pending: Int(int(6)), running: Int(int(7)), done: Int(int(8)), failed: Int(int(9))),
            coordinator: cell(10), startedAt: Double(text(11)), finishedAt: Double(text(12)),
            shardsPlanned: cell(13).flatMap { Int($0) }, error: cell(14), term: int(15))
    }

    // MARK: - Ownership

    /// Takes the run over: raises its term and makes this process its coordinator. Shards that had failed get new
    /// attempts.
    /// - Throws: `LedgerError` with code `owned` while another coordinator is alive.
    public func takeOver(
        _ id: RunID, as coordinator: WorkerID, host: String, pid: Int32, text: String? = nil, directory: String? = nil
    ) throws
        -> Ownership
    {
        if let ownership = try transaction({
            try own(id, as: coordinator, host: host, pid: pid, text: text, directory: directory)
        }) {
            return ownership
        }
        let run = try run(id)
        if let owner = run.coordinator {
            throw LedgerError(
                .owned(by: owner), "run \(id) is at work under another coordinator, \(owner)",
                mend: "coord status \(id)")
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
            UPDATE coord.run AS r SET term = term + 1, coordinator = $2::uuid, coordinator_host = $3,
                coordinator_pid = $4::int, backend_pid = pg_backend_pid(),
                backend_start = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()),
                lease_until = clock_timestamp() + make_interval(secs => \(Self.ownershipSeconds)), state = 'running',
                desired = 'running', started_at = COALESCE(started_at, clock_timestamp()), finished_at = NULL,
                definition = COALESCE($5, definition), directory = COALESCE($6, directory)
            WHERE id = $1::bigint AND NOT COALESCE(\(Self.ownerIsAlive), false)
                AND state NOT IN ('complete', 'cancelled')
            RETURNING term
            """, [id.description, coordinator.rawValue, host, "\(pid)", text, directory])
        guard result.rows == 1, let term = result.int(0, 0) else { return nil }
        try connection.execute(
            """
            UPDATE coord.shard SET state = 'pending', failures = 0, owner = NULL
            WHERE run_id = $1::bigint AND state = 'failed'
            """, [id.description])
        try noteAllLeft(id)
        return Ownership(run: id, coordinator: coordinator, term: term)
    }

    /// What the coordinator reads at each renewal.
    public struct Renewal: Sendable, Equatable {
        public var cancelAsked: Bool
    }

    /// Prolongs the ownership. Nil when another coordinator has taken the run over.
    ///
    /// The session is entered anew, since it changes with a reconnect.
    public func renew(_ ownership: Ownership, rowsPerSecond: Double) throws -> Renewal? {
        let result = try connection.execute(
            """
            UPDATE coord.run SET lease_until = clock_timestamp() + make_interval(secs => \(Self.ownershipSeconds)),
                rows_per_second = $4::double precision, backend_pid = pg_backend_pid(), backend_start =
                    (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())
            WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint
            RETURNING desired = 'cancelled'
            """, ownership.parameters + ["\(rowsPerSecond)"])
        guard result.rows == 1 else { return nil }
        return Renewal(cancelAsked: result.bool(0, 0) ?? false)
    }

    /// Notes what the run is bound to from now on.
    public func bind(_ ownership: Ownership, tableOID: UInt32, binding: String) throws {
        try connection.execute(
            """
            UPDATE coord.run SET table_oid = $4::oid, binding = $5::jsonb
            WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint
            """, ownership.parameters + ["\(tableOID)", binding])
    }

    /// Gives the run's key space an end where it has none, as in runs of earlier versions.
    /// - Returns: whether it had none.
    public func fixEnd(at end: Key, _ ownership: Ownership) throws -> Bool {
        try transaction {
            let run = try connection.execute(
                """
                UPDATE coord.run SET end_key = ARRAY[$4::text]
                WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint AND end_key IS NULL
                """, ownership.parameters + [end.components[0]])
            guard run.affected == 1 else { return false }
            try connection.execute(
                """
                UPDATE coord.shard SET through_key = ARRAY[$2::text]
                WHERE run_id = $1::bigint AND through_key IS NULL AND state <> 'done'
                """, [ownership.run.description, end.components[0]])
            return true
        }
    }

    /// Ends the only shard of a run whose table was empty when its plan was made.
    public func endEmpty(_ run: RunID) throws {
        try connection.execute(
            "UPDATE coord.shard SET state = 'done' WHERE run_id = $1::bigint AND through_key IS NULL", [run.description]
        )
    }

    /// Notes that a timeout has made batches smaller, for whoever takes the run over next.
    public func noteBatchRows(_ rows: Int, _ ownership: Ownership) throws {
        try connection.execute(
            """
            UPDATE coord.run SET batch_rows = LEAST(COALESCE(batch_rows, $4::int), $4::int)
            WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint
            """, ownership.parameters + ["\(rows)"])
    }

    /// Rows of a run whose update the database suppressed.
    public func unchangedRows(of run: RunID) throws -> Int64 {
        try connection.execute(
            "SELECT COALESCE(sum(rows_unchanged), 0)::bigint FROM coord.shard WHERE run_id = $1::bigint",
            [run.description]
        ).int(0, 0) ?? 0
    }

    /// Counts what came above the run's last key while it was under way.
    public func noteRowsAbove(_ rows: Int64, of run: RunID) throws {
        try connection.execute(
            "UPDATE coord.run SET rows_above = $2::bigint WHERE id = $1::bigint", [run.description, "\(rows)"])
    }

    /// Gives the run back in a state from which it can be resumed, or ends it as cancelled.
    /// - Returns: whether it was still this coordinator's.
    @discardableResult
    public func release(_ ownership: Ownership, as state: RunRecord.State) throws -> Bool {
        try transaction {
            if state == .cancelled { try takeBackLeases(of: ownership.run) }
            return try connection.execute(
                """
                UPDATE coord.run SET state = $4, coordinator = NULL, lease_until = NULL, rows_per_second = 0,
                    finished_at = CASE WHEN $4 = 'cancelled' THEN clock_timestamp() END
                WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint
                """, ownership.parameters + [state.rawValue]
            ).affected == 1
        }
    }

    /// Raises the epoch of every leased shard of a run that is cancelled: a worker that still has one is refused by the
    /// fence. A batch under way is waited for.
    private func takeBackLeases(of run: RunID) throws {
        try connection.execute(
            """
            WITH taken AS (
                UPDATE coord.shard SET epoch = epoch + 1, owner = NULL, state = 'pending'
                WHERE run_id = $1::bigint AND state = 'running' RETURNING id
            )
            UPDATE coord.attempt SET ended_at = clock_timestamp(), outcome = 'superseded' FROM taken
            WHERE run_id = $1::bigint AND shard_id = taken.id AND ended_at IS NULL
            """, [run.description])
    }

    /// Ends the run when the ledger says that no shard is open (I5): complete, partial, or failed.
    /// - Returns: the counts; the run is ended exactly when none is pending or running. Nil when another coordinator has
    ///   taken the run over.
    public func conclude(_ ownership: Ownership) throws -> ShardCounts? {
        let result = try connection.execute(
            """
            WITH counted AS (
                SELECT count(*) FILTER (WHERE state = 'pending') AS pending,
                    count(*) FILTER (WHERE state = 'running') AS running,
                    count(*) FILTER (WHERE state = 'done') AS done, count(*) FILTER (WHERE state = 'failed') AS failed
                FROM coord.shard WHERE run_id = $1::bigint
            ), concluded AS (
                UPDATE coord.run SET state = CASE WHEN failed = 0 THEN 'complete' WHEN done > 0 THEN 'partial'
                    ELSE 'failed' END, coordinator = NULL, lease_until = NULL, finished_at = clock_timestamp()
                FROM counted
                WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint AND pending + running = 0
                RETURNING id
            )
            SELECT pending, running, done, failed, pending + running > 0 OR EXISTS (SELECT FROM concluded)
            FROM counted
            """, ownership.parameters)
        guard result.bool(0, 4) == true else { return nil }
        func int(_ column: Int) -> Int { Int(result.int(0, column) ?? 0) }
        return ShardCounts(pending: int(0), running: int(1), done: int(2), failed: int(3))
    }

    /// Asks the run's coordinator to cancel; where none is alive, the run is cancelled here.
    /// - Returns: the coordinator that will obey, or nil.
    public func cancel(_ id: RunID) throws -> String? {
        try transaction {
            // Whether the owner is alive is asked of the row as it is after any lock wait.
            let result = try connection.execute(
                """
                UPDATE coord.run AS r SET desired = 'cancelled',
                    state = CASE WHEN COALESCE(\(Self.ownerIsAlive), false) THEN state ELSE 'cancelled' END,
                    finished_at = CASE WHEN COALESCE(\(Self.ownerIsAlive), false) THEN finished_at
                        ELSE clock_timestamp() END
                WHERE id = $1::bigint AND state NOT IN ('complete', 'cancelled')
                RETURNING state = 'cancelled', coordinator_host || ' pid ' || coordinator_pid
                """, [id.description])
            guard result.rows == 1 else {
                let run = try run(id)
                throw LedgerError(.wrongState(run.state.rawValue), "run \(id) is \(run.state.rawValue) already")
            }
            guard result.bool(0, 0) == true else { return result.text(0, 1) ?? "its coordinator" }
            try takeBackLeases(of: id)
            return nil
        }
    }
}

extension Ownership {
    var parameters: [String?] { [run.description, coordinator.rawValue, "\(term)"] }
}
