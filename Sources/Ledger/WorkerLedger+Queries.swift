import Postgres
import Sharding

extension WorkerLedger {
    struct ReadAssignment: LedgerQuery {
        static let name = "coord_assignment"

        static func sql(_ ledger: String) -> String {
            """
            SELECT binding, specification, (SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege(f.name, 'EXECUTE'))
                FROM pg_catalog.unnest(ARRAY[\(functions(ledger))]) AS f(name)) AS may_work,
                pg_catalog.has_table_privilege(\(table("shard", ledger)), 'SELECT')
                    AND pg_catalog.has_table_privilege(\(table("shard", ledger)), 'UPDATE')
                    AND pg_catalog.has_table_privilege(\(table("event", ledger)), 'INSERT') AS may_change_tables
            FROM \(ledger).run WHERE id = $1::bigint
            """
        }

        private static func table(_ name: String, _ ledger: String) -> String {
            "'\(ledger.replacing("'", with: "''")).\(name)'"
        }

        private static func functions(_ ledger: String) -> String {
            Schema.workerFunctions(in: ledger).map { "'\($0.replacing("'", with: "''"))'" }.joined(separator: ", ")
        }

        /// What a worker may know before it takes a lease.
        struct Found {
            /// Nil if no coordinator has resolved the job yet.
            var assignment: Assignment?
            /// Whether this role may open leases and advance shards.
            var mayWork: Bool
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Found {
            let binding: LedgerColumn<String> = try columns("binding")
            let specification: LedgerColumn<String> = try columns("specification")
            let mayWork: LedgerColumn<Bool> = try columns("may_work")
            let mayChangeTables: LedgerColumn<Bool> = try columns("may_change_tables")
            return { row in
                let mayWork = try row[mayWork]
                guard let specification = try row.optional(specification) else { return Found(mayWork: mayWork) }
                // One statement writes both, so neither is null alone.
                let assignment = Assignment(
                    binding: try row[binding], specification: specification,
                    mayChangeTables: try row[mayChangeTables])
                return Found(assignment: assignment, mayWork: mayWork)
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
            SELECT \(RangeColumns.list), \(PositionColumns.list)
            FROM \(ledger).open_lease($1::pg_catalog.int8, $2::pg_catalog.int4, $3::pg_catalog.int8, $4::pg_catalog.uuid, (
                SELECT backend_start FROM pg_catalog.pg_stat_activity
                WHERE pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())) AS s
            WHERE s.id IS NOT NULL
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
