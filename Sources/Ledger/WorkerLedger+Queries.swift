import Postgres
import Sharding

extension WorkerLedger {
    struct ReadAssignment: LedgerQuery {
        static let name = "coord_assignment"

        static func sql(_ ledger: String) -> String {
            "SELECT binding, specification FROM \(ledger).run WHERE id = $1::bigint"
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }

        /// Nil if no coordinator has resolved the job yet.
        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Assignment? {
            let binding: LedgerColumn<String> = try columns("binding")
            let specification: LedgerColumn<String> = try columns("specification")
            return { row in
                guard let specification = try row.optional(specification) else { return nil }
                // One statement writes both, so neither is null alone.
                return Assignment(binding: try row[binding], specification: specification)
            }
        }
    }

    struct Enter: LedgerQuery {
        static let name = "coord_enter"
        static let isPrepared = true

        static func sql(_ ledger: String) -> String {
            """
            SELECT pg_catalog.set_config('application_name', $2, false), COALESCE((SELECT \(OwnerColumns.isAlive)
                FROM \(ledger).run AS r WHERE r.id OPERATOR(pg_catalog.=) $1::pg_catalog.int8), false) AS is_owned
            """
        }

        var run: RunID
        var applicationName: String
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description, applicationName]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Bool {
            let isOwned: LedgerColumn<Bool> = try columns("is_owned")
            return { row in try row[isOwned] }
        }
    }

    struct Open: LedgerQuery {
        static let name = "coord_open"
        static let isPrepared = true

        static func sql(_ ledger: String) -> String {
            """
            UPDATE \(ledger).shard SET backend_pid = pg_catalog.pg_backend_pid(), backend_start =
                (SELECT backend_start FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid())
            WHERE run_id = $1::bigint AND id = $2::int AND epoch = $3::bigint AND owner = $4::uuid
                AND state = 'running'
            RETURNING \(RangeColumns.list), \(PositionColumns.list)
            """
        }

        var run: RunID
        var lease: Lease
        var owner: WorkerID
        var keyColumns: Int
        var subject: RunID? { run }

        var parameters: PostgresParameters {
            PostgresParameters([run.description, lease.shard.description, lease.epoch.description, owner.rawValue])
        }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Opening {
            let range = try RangeColumns(columns)
            let position = try PositionColumns(columns)
            return { row in
                Opening(range: try range.range(row), position: try position.position(row, keyColumns: keyColumns))
            }
        }
    }
}
