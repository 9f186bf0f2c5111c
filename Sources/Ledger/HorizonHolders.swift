package import Postgres

/// Who keeps old row versions of this database, which then leave no room on their pages: sessions, prepared transactions,
/// replication slots and standbys.
///
/// A role without `pg_read_all_stats` does not see the snapshots of other users.
package struct HorizonHolders: LedgerQuery {
    static let name = "coord_horizon_holders"

    /// The least age of a session's transaction, in seconds.
    private let seconds: Int
    /// The largest number of names.
    private let limit: Int

    /// Names them, those of this database first, and of these the one with the oldest snapshot.
    ///
    /// - Parameters:
    ///   - seconds: the least age of a session's transaction.
    ///   - limit: the largest number of names.
    package static func names(from seconds: Int, limit: Int, _ connection: PostgresConnection) throws -> [String] {
        try connection.rows(HorizonHolders(seconds: seconds, limit: limit), in: "")
    }

    static func sql(_ ledger: String) -> String { query(from: "$1::int", limit: "$2::int") }

    var parameters: PostgresParameters { PostgresParameters(["\(seconds)", "\(limit)"]) }

    func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> String {
        let name: LedgerColumn<String> = try columns("name")
        return { row in try row[name] }
    }

    /// A query with the one column `name`.
    ///
    /// A transaction that writes counts in every database: no snapshot of this one is newer than the server's oldest transaction
    /// with an ID. VACUUM's snapshot holds nothing up. Of slots and standbys only the transaction is known, not its time, so one
    /// counts when many transactions have begun since.
    static func query(from seconds: String, limit: String) -> String {
        """
        SELECT h.name FROM (
            SELECT 'pid ' || a.pid || ' (' || COALESCE(a.usename, '?') || ', ' || COALESCE(a.application_name, '') || ', '
                || round(date_part('epoch', clock_timestamp() - a.xact_start)) || ' s)' AS name,
                GREATEST(age(a.backend_xmin), age(a.backend_xid)) AS age, a.datid IS DISTINCT FROM d.oid AS elsewhere
            FROM pg_stat_activity AS a, (SELECT oid FROM pg_database WHERE datname = current_database()) AS d
            WHERE (a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL AND a.datid = d.oid)
                AND a.pid <> pg_backend_pid() AND COALESCE(a.query, '') !~* '^(autovacuum: )?vacuum'
                AND clock_timestamp() - a.xact_start > make_interval(secs => \(seconds))
            UNION ALL SELECT 'the prepared transaction ' || gid, age(transaction), database <> current_database()
            FROM pg_prepared_xacts
            UNION ALL SELECT 'the replication slot ' || slot_name, age(xmin), false FROM pg_replication_slots
            WHERE age(xmin) > \(oldTransactions)
            UNION ALL SELECT 'the standby ' || application_name, age(backend_xmin), false FROM pg_stat_replication
            WHERE age(backend_xmin) > \(oldTransactions)
        ) AS h ORDER BY h.elsewhere, h.age DESC LIMIT \(limit)
        """
    }

    private static let oldTransactions = 1000
}
