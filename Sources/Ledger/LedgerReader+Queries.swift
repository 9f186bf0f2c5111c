import Postgres
import Sharding

extension LedgerReader {
    struct ReadRun: LedgerQuery {
        static let name = "coord_run"
        static func sql(_ ledger: String) -> String { RunColumns.select(ledger) + " WHERE r.id = $1::bigint" }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> RunRecord {
            try RunColumns(columns).record
        }
    }

    struct ReadRuns: LedgerQuery {
        static let name = "coord_runs"

        static func sql(_ ledger: String) -> String {
            RunColumns.select(ledger) + " ORDER BY r.id DESC LIMIT $1::bigint"
        }

        var limit: Int
        var parameters: PostgresParameters { PostgresParameters(["\(limit)"]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> RunRecord {
            try RunColumns(columns).record
        }
    }

    struct ReadNewestRun: LedgerQuery {
        static let name = "coord_newest_run"

        static func sql(_ ledger: String) -> String {
            RunColumns.select(ledger) + " WHERE r.name = $1 ORDER BY r.id DESC LIMIT 1"
        }

        /// The job's name.
        var name: String
        var parameters: PostgresParameters { PostgresParameters([name]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> RunRecord {
            try RunColumns(columns).record
        }
    }

    struct ReadShards: LedgerQuery {
        static let name = "coord_shards"

        static func sql(_ ledger: String) -> String {
            "SELECT \(ShardColumns.list) FROM \(ledger).shard WHERE run_id = $1::bigint ORDER BY id"
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> ShardDetail {
            try ShardColumns(columns).detail
        }
    }

    struct ReadShard: LedgerQuery {
        static let name = "coord_shard"

        static func sql(_ ledger: String) -> String {
            "SELECT \(ShardColumns.list) FROM \(ledger).shard WHERE run_id = $1::bigint AND id = $2::int"
        }

        var run: RunID
        var shard: ShardID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description, shard.description]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> ShardRecord {
            try ShardColumns(columns).record
        }
    }

    struct ReadWorkers: LedgerQuery {
        static let name = "coord_workers"

        static func sql(_ ledger: String) -> String {
            """
            SELECT \(WorkerColumns.list) FROM \(ledger).worker
            WHERE run_id = $1::bigint AND ($2::boolean OR \(WorkerColumns.isPresent))
            ORDER BY host, pid, joined_at
            """
        }

        var run: RunID
        var includesGone: Bool
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description, includesGone ? "t" : "f"]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> WorkerDetail {
            try WorkerColumns(columns).detail
        }
    }

    struct CountUnchangedRows: LedgerQuery {
        static let name = "coord_unchanged_rows"

        static func sql(_ ledger: String) -> String {
            "SELECT COALESCE(sum(rows_unchanged), 0) AS rows FROM \(ledger).shard WHERE run_id = $1::bigint"
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Int64 {
            let rows: LedgerColumn<Int64> = try columns("rows")
            return { row in try row[rows] }
        }
    }

    struct ReadStorage: LedgerQuery {
        static let name = "coord_read_storage"

        static func sql(_ ledger: String) -> String {
            "SELECT \(StorageColumns.list(of: "storage")) FROM \(ledger).run WHERE id = $1::bigint"
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> StorageChange? {
            let storage = try StorageColumns(columns)
            return { try storage.change($0) }
        }
    }
}
