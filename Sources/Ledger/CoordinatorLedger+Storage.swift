import Postgres
import Sharding

extension CoordinatorLedger {
    /// Measures the table of a run, and keeps that beside what was measured when the run began.
    /// - Returns: nil where the table is not there any more.
    package func measureStorage(_ ownership: Ownership, tableOID: UInt32) throws -> StorageMeasure? {
        try session.first(MeasureStorage(ownership: ownership, tableOID: tableOID)) ?? nil
    }

    struct MeasureStorage: LedgerQuery {
        static let name = "coord_measure_storage"

        static func sql(_ ledger: String) -> String {
            """
            UPDATE \(ledger).run AS r
            SET storage = jsonb_build_object('begin', COALESCE(r.storage -> 'begin', m.figures), 'last', m.figures)
            FROM (\(StorageColumns.measured(ledger))) AS m
            WHERE r.id = $1::bigint AND r.term = $3::bigint
            RETURNING \(StorageColumns.list(of: "r.storage")), (\(oldestSnapshot)) AS holder
            """
        }

        /// Who keeps old row versions for longest, where this role can see that: a session, a prepared transaction, a slot.
        /// What coord's own sessions do is over within a batch. A transaction with changes of its own holds up every database of
        /// the server, since their snapshots see it under way; those of this one come first.
        private static let oldestSnapshot = """
            SELECT h.name FROM (
                SELECT 'pid ' || a.pid || ' (' || a.usename || ', ' || a.application_name || ', '
                    || round(date_part('epoch', clock_timestamp() - a.xact_start)) || ' s)' AS name,
                    GREATEST(age(a.backend_xmin), age(a.backend_xid)) AS age, a.datid IS DISTINCT FROM d.oid AS elsewhere
                FROM pg_stat_activity AS a, (SELECT oid FROM pg_database WHERE datname = current_database()) AS d
                WHERE (a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL AND a.datid = d.oid)
                    AND a.application_name NOT LIKE 'coord %' AND clock_timestamp() - a.xact_start > interval '5 s'
                UNION ALL SELECT 'the prepared transaction ' || gid, age(transaction), database <> current_database()
                FROM pg_prepared_xacts
                UNION ALL SELECT 'the replication slot ' || slot_name, age(xmin), false FROM pg_replication_slots
                WHERE xmin IS NOT NULL
            ) AS h ORDER BY h.elsewhere, h.age DESC LIMIT 1
            """

        var ownership: Ownership
        var tableOID: UInt32
        var subject: RunID? { ownership.run }

        var parameters: PostgresParameters {
            PostgresParameters([ownership.run.description, "\(tableOID)", "\(ownership.term)"])
        }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> StorageMeasure? {
            let storage = try StorageColumns(columns)
            let holder: LedgerColumn<String> = try columns("holder")
            return { row in
                guard let change = try storage.change(row) else { return nil }
                return StorageMeasure(change: change, holder: try row.optional(holder))
            }
        }
    }
}
