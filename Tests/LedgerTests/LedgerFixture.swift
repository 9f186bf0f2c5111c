import Ledger
import Postgres
import Sharding
import Testing

extension TestDatabase {
    /// A ledger that was just installed, over a connection of its own.
    func ledger(_ schema: LedgerSchema = .standard) throws -> LedgerStore {
        let store = LedgerStore(try connect(setup: PostgresSession.ledger), schema: schema)
        try store.install()
        return store
    }
}

extension WorkerID {
    static let first = WorkerID("00000000-0000-4000-8000-000000000001")
    static let second = WorkerID("00000000-0000-4000-8000-000000000002")
    static let coordinator = WorkerID("00000000-0000-4000-8000-00000000000c")
    static let rival = WorkerID("00000000-0000-4000-8000-00000000000d")
}

extension RunDefinition {
    static func sample(_ name: String = "job") -> RunDefinition {
        RunDefinition(
            name: name, text: "table: items\nset: { price: 1 }\n", directory: "/jobs", fingerprint: "f1",
            table: "public.items")
    }
}

extension ShardPlan {
    /// Ranges between the boundaries, which tile the key space; each is estimated at 10 rows.
    static func cut(at boundaries: [String]) -> ShardPlan {
        let ends = boundaries.map { Key($0) as Key? }
        let parts = zip([nil] + ends, ends + [nil]).map { after, through in
            Part(range: KeyRange(after: after, through: through), rowsEstimated: 10)
        }
        return ShardPlan(parts: parts)
    }
}

extension LedgerStore {
    /// A run that `.coordinator` owns.
    func ownedRun(_ name: String = "job", cutAt boundaries: [String] = []) throws -> Ownership {
        let run = try createRun(.sample(name), plan: .cut(at: boundaries))
        return try takeOver(run, as: .coordinator, host: "host", pid: 7)
    }

    func value(_ sql: String) throws -> String? { try connection.execute(sql).text(0, 0) }

    /// Kinds of the run's events in their order, with the shard's number where there is one.
    func events(of run: RunID) throws -> [String] {
        let result = try connection.execute(
            "SELECT kind || COALESCE(' ' || shard_id, '') FROM \(schema).event WHERE run_id = $1::bigint ORDER BY id",
            [run.description])
        return (0..<result.rows).map { result.text($0, 0) ?? "" }
    }

    /// Ends a shard as its worker's last batch does, or as failed.
    func end(_ shard: Int32, of run: RunID, as state: ShardState) throws {
        try connection.execute(
            "UPDATE \(schema).shard SET state = $3 WHERE run_id = $1::bigint AND id = $2::int",
            [run.description, "\(shard)", state.rawValue])
    }

    /// Enters a session as the coordinator's that is not there any more.
    func forgetSession(of run: RunID) throws {
        try connection.execute(
            "UPDATE \(schema).run SET backend_start = '2000-01-01' WHERE id = $1::bigint", [run.description])
    }

    func attempts(of run: RunID) throws -> [String] {
        let result = try connection.execute(
            """
            SELECT shard_id || ' ' || epoch || ' ' || COALESCE(outcome, 'open') || ' ' || (ended_at IS NOT NULL)
            FROM \(schema).attempt WHERE run_id = $1::bigint ORDER BY shard_id, epoch
            """, [run.description])
        return (0..<result.rows).map { result.text($0, 0) ?? "" }
    }
}

/// The error of the ledger that `body` throws.
func ledgerError(sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void) throws -> LedgerError {
    do {
        try body()
    } catch let error as LedgerError {
        return error
    }
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    throw CancellationError()
}
