public import Postgres

/// The holders of locks that a statement has waited for in vain.
public enum TableLocks {
    /// The most sessions in a message.
    public static let limit = 5

    /// Describes the sessions that hold, or wait for, a lock on a table of this database that keeps others from reading
    /// or changing the table.
    ///
    /// Ask on another connection than the waiting one, or after its statement has ended. Details that the server hides
    /// from this role are left out.
    ///
    /// - Returns: one line for each session: first the holders, the oldest first; empty when all have gone.
    public static func lines(_ connection: PostgresConnection) throws -> [String] {
        try connection.rows(Query(), in: "")
    }

    private struct Query: LedgerQuery {
        static let name = "coord_table_locks"

        static func sql(_: String) -> String {
            """
            SELECT n.nspname || '.' || c.relname AS relation, l.mode, l.granted AS is_held, a.pid, a.usename AS role,
                nullif(a.application_name, '') AS application,
                COALESCE(host(a.client_addr), CASE WHEN a.client_port = -1 THEN 'this host' END) AS client,
                nullif(a.state, '') AS state, to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS since,
                floor(extract(epoch FROM clock_timestamp() - a.xact_start))::bigint AS seconds,
                nullif(array_to_string(pg_blocking_pids(a.pid), ', '), '') AS blockers
            FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) JOIN pg_class AS c ON c.oid = l.relation
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE l.locktype = 'relation' AND a.pid <> pg_backend_pid()
                AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
                AND c.relkind IN ('r', 'p', 'm') AND n.nspname <> 'pg_catalog' AND n.nspname NOT LIKE 'pg\\_toast%'
            ORDER BY l.granted DESC, l.mode = 'AccessExclusiveLock' DESC, a.xact_start LIMIT \(limit)
            """
        }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> String {
            let relation: LedgerColumn<String> = try columns("relation")
            let mode: LedgerColumn<String> = try columns("mode")
            let isHeld: LedgerColumn<Bool> = try columns("is_held")
            let pid: LedgerColumn<Int32> = try columns("pid")
            let role: LedgerColumn<String> = try columns("role")
            let application: LedgerColumn<String> = try columns("application")
            let client: LedgerColumn<String> = try columns("client")
            let state: LedgerColumn<String> = try columns("state")
            let since: LedgerColumn<String> = try columns("since")
            let seconds: LedgerColumn<Int64> = try columns("seconds")
            let blockers: LedgerColumn<String> = try columns("blockers")
            return { row in
                let isHeld = try row[isHeld]
                let lasting = try row.optional(seconds).map { " (\($0) s)" } ?? ""
                let parts = [
                    "\(try row[relation]): \(try row[mode]) \(isHeld ? "held" : "waited for") by pid \(try row[pid])",
                    try row.optional(role).map { "user \($0)" },
                    try row.optional(application).map { "application \($0)" },
                    try row.optional(client).map { "client \($0)" }, try row.optional(state),
                    try row.optional(since).map { "since \($0) UTC\(lasting)" },
                    isHeld ? nil : try row.optional(blockers).map { "itself behind pid \($0)" },
                ]
                return parts.compactMap { $0 }.joined(separator: ", ")
            }
        }
    }
}
