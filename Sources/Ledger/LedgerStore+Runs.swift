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
    /// The role that made the run.
    public var user = ""
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
    // MARK: - Making and finding

    /// Writes a run and its shards in one transaction. The ranges must tile the key space up to the end key (I4).
    ///
    /// - Parameters:
    ///   - rowsEstimated: rows in scope; nil for the plan's own sum.
    ///   - replacing: an unfinished run, as it was read, that is cancelled in the same transaction.
    /// - Throws: `LedgerError` with code `owned` when another run of the name was made meanwhile, or somebody has taken
    ///   the old one over; `locked` when its rows are. Nothing is written then.
    public func createRun(
        _ definition: RunDefinition, plan: ShardPlan, rowsEstimated: Int64? = nil, replacing old: RunRecord? = nil
    ) throws -> RunID {
        try KeyRange.checkTiling(plan.parts.map(\.range), of: KeyRange(after: nil, through: definition.endKey))
        do {
            return try awaitingLocks(of: old?.id, force: false) {
                try transaction {
                    if let old { try replace(old) }
                    let run = try insertRun(definition, rowsEstimated ?? plan.rowsEstimated, shards: plan.parts.count)
                    try insertShards(run, plan)
                    return run
                }
            }.value
        } catch let error as PostgresError where error.sqlState == "23505" {
            throw LedgerError(
                .owned(by: "?"),
                "a run of \(definition.name) has just been made under another coordinator: nothing was started",
                mend: "coord status")
        }
    }

    private func insertRun(_ definition: RunDefinition, _ rowsEstimated: Int64, shards: Int) throws -> RunID {
        let sql = """
            INSERT INTO \(ledger).run (name, definition, directory, fingerprint, table_name, rows_estimated, search_path,
                table_oid, binding, batch_rows, shards, end_key, settings)
            VALUES ($1, $2, $3, $4, $5, $6::bigint, COALESCE($7,
                    NULLIF(current_setting('\(SearchPath.own)', true), ''), current_setting('search_path')),
                $8::oid, $9::jsonb, $10::int, $11::int, $12::text[], jsonb_object($13::text[])) RETURNING id
            """
        var parameters = PostgresParameters([
            definition.name, definition.text, definition.directory, definition.fingerprint, definition.table,
            "\(rowsEstimated)", definition.searchPath.isEmpty ? nil : definition.searchPath,
            definition.tableOID.map { "\($0)" }, definition.binding, definition.batchRows.map { "\($0)" }, "\(shards)",
            definition.endKey?.literal,
        ])
        let settings = definition.settings.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
        parameters.append(PostgresArray.write(settings))
        let result = try connection.executePrepared("coord_insert_run", sql, parameters)
        return RunID(result.int(0, 0) ?? 0)
    }

    private func insertShards(_ run: RunID, _ plan: ShardPlan) throws {
        let sql = """
            INSERT INTO \(ledger).shard (run_id, id, after_key, through_key, rows_estimated)
            SELECT $1::bigint, i, a::text[], t::text[], e
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
                Array(key.literal.utf8).withUnsafeBytes { parameters.appendElement($0) }
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
            ARRAY(SELECT u.item FROM pg_catalog.jsonb_each_text(r.settings) AS s
                CROSS JOIN LATERAL pg_catalog.unnest(ARRAY[s.key, s.value]) WITH ORDINALITY AS u(item, place) ORDER BY s.key, u.place),
            r.batch_rows
        """
    private static let definitionWidth = 11

    private var runQuery: String {
        """
        SELECT \(Self.definitionColumns), r.id, r.state, r.desired,
            r.rows_estimated, COALESCE(s.rows_done, 0), r.rows_per_second, COALESCE(s.pending, 0),
            COALESCE(s.running, 0), COALESCE(s.done, 0), COALESCE(s.failed, 0),
            CASE WHEN \(Self.ownerIsAlive) THEN r.coordinator_host || ' pid ' || r.coordinator_pid END,
            extract(epoch FROM r.started_at), extract(epoch FROM r.finished_at), r.shards, r.error, r.term,
            r.created_by
        FROM \(ledger).run AS r LEFT JOIN LATERAL (
            SELECT sum(rows_done) AS rows_done, count(*) FILTER (WHERE state = 'pending') AS pending,
                count(*) FILTER (WHERE state = 'running') AS running, count(*) FILTER (WHERE state = 'done') AS done,
                count(*) FILTER (WHERE state = 'failed') AS failed
            FROM \(ledger).shard WHERE run_id = r.id) AS s ON true
        """
    }

    /// - Throws: `LedgerError` with code `unknownRun`.
    public func run(_ id: RunID) throws -> RunRecord {
        let result = try connection.execute(runQuery + " WHERE r.id = $1::bigint", [id.description])
        guard result.rows == 1 else { throw Self.unknown(id) }
        return Self.run(result, 0)
    }

    /// What a worker needs of a run.
    public struct Assignment: Sendable, Equatable {
        /// What key and columns were when the run's coordinator began, as JSON.
        public var binding: String
        /// The resolved job, as JSON.
        public var specification: String
    }

    /// - Throws: `LedgerError` with code `unknownRun`; with `wrongState` where no coordinator of this version has taken the run up.
    public func assignment(of id: RunID) throws -> Assignment {
        let result = try connection.execute(
            "SELECT binding, specification FROM \(ledger).run WHERE id = $1::bigint", [id.description])
        guard result.rows == 1 else { throw Self.unknown(id) }
        guard let binding = result.text(0, 0), let specification = result.text(0, 1) else {
            throw LedgerError(
                .wrongState("unresolved"), "run \(id) has no specification: its coordinator is of an older version",
                mend: "run one version on all hosts, then: coord resume \(id)")
        }
        return Assignment(binding: binding, specification: specification)
    }

    static func unknown(_ id: RunID) -> LedgerError {
        LedgerError(.unknownRun, "there is no run \(id) in this database", mend: "coord status")
    }

    /// The newest runs first, at most `limit`.
    public func runs(limit: Int = 20) throws -> [RunRecord] {
        let result = try connection.execute(runQuery + " ORDER BY r.id DESC LIMIT \(limit)")
        return (0..<result.rows).map { Self.run(result, $0) }
    }

    /// The newest run of this name, when it can still be worked on.
    public func unfinishedRun(named name: String) throws -> RunRecord? {
        let result = try connection.execute(runQuery + " WHERE r.name = $1 ORDER BY r.id DESC LIMIT 1", [name])
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
            endKey: Key(literal: result.text(row, 8)), settings: settings,
            batchRows: result.int(row, 10).map { Int($0) })
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
            shardsPlanned: cell(13).flatMap { Int($0) }, error: cell(14), term: int(15), user: text(16))
    }
}

extension Ownership {
    var parameters: [String?] { [run.description, coordinator.rawValue, "\(term)"] }
}
