import Postgres
import Sharding

extension LedgerInstallation {
    /// The content of a schema. No row if there is no such schema.
    struct ReadContent: LedgerQuery {
        static let name = "coord_schema_content"

        struct Content {
            var tables: [String]
            /// The number of objects in the schema.
            var count: Int
            /// The first objects' names.
            var names: [String]
        }

        static func sql(_: String) -> String {
            // Not by to_regclass: its answer may come from a cache from before the lock that `install` waited for.
            """
            SELECT COALESCE(array_agg(o.name ORDER BY o.name) FILTER (WHERE o.kind = 'r'), '{}') AS tables,
                count(o.name) AS objects, COALESCE((array_agg(o.name ORDER BY o.name))[1:5], '{}') AS names
            FROM pg_namespace AS n CROSS JOIN LATERAL (
                SELECT c.relname::text AS name, c.relkind::text AS kind FROM pg_class AS c
                WHERE c.relnamespace = n.oid AND c.relkind NOT IN ('i', 'I', 't')
                UNION ALL SELECT p.proname::text, 'function' FROM pg_proc AS p WHERE p.pronamespace = n.oid
            ) AS o WHERE n.nspname = $1::name
            """
        }

        var schema: LedgerSchema
        var parameters: PostgresParameters { PostgresParameters([schema.name]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Content {
            let tables: LedgerColumn<[String]> = try columns("tables")
            let objects: LedgerColumn<Int> = try columns("objects")
            let names: LedgerColumn<[String]> = try columns("names")
            return { row in
                Content(tables: try row[tables], count: try row[objects], names: try row[names])
            }
        }
    }

    struct ReadVersion: LedgerQuery {
        static let name = "coord_version"

        static func sql(_ ledger: String) -> String {
            "SELECT COALESCE(max(version), 0) AS version FROM \(ledger).migration"
        }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Int {
            let version: LedgerColumn<Int> = try columns("version")
            return { row in try row[version] }
        }
    }

    struct LockMigrations: LedgerStatement {
        static let name = "coord_lock_migrations"
        static func sql(_: String) -> String { "SELECT pg_advisory_xact_lock($1::bigint)" }

        var number: Int64
        var parameters: PostgresParameters { PostgresParameters(["\(number)"]) }
    }

    struct ReadOtherLedgers: LedgerQuery {
        static let name = "coord_other_ledgers"

        /// The most schemas with another ledger that are named.
        private static let limit = 3

        static func sql(_: String) -> String {
            """
            SELECT n.nspname AS schema FROM pg_namespace AS n JOIN pg_class AS c ON c.relnamespace = n.oid
            WHERE c.relkind = 'r' AND c.relname = ANY ($1::name[]) AND n.nspname <> $2::name
            GROUP BY n.nspname HAVING count(*) = \(tables.count) ORDER BY n.nspname LIMIT \(limit)
            """
        }

        var schema: LedgerSchema
        var parameters: PostgresParameters { PostgresParameters([PostgresArray.write(tables), schema.name]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> String {
            let schema: LedgerColumn<String> = try columns("schema")
            return { row in try row[schema] }
        }
    }

    /// A run that a coordinator owns now.
    struct ReadOwnedRun: LedgerQuery {
        static let name = "coord_owned_run"

        static func sql(_ ledger: String) -> String {
            "SELECT r.id, \(OwnerColumns.list) FROM \(ledger).run AS r WHERE \(OwnerColumns.isAlive) LIMIT 1"
        }

        /// The owner is nil if its session ends between the two looks at it.
        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> (run: RunID, owner: String?) {
            let id: LedgerColumn<RunID> = try columns("id")
            let owner = try OwnerColumns(columns)
            return { row in (try row[id], try owner.owner(row)) }
        }
    }
}
