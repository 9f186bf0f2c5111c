public import Postgres

/// Who is in the way of a statement that has waited for a lock for too long.
public enum TableLocks {
    /// The most sessions that are named.
    public static let limit = 5

    /// Sessions that hold, or wait for, a lock on a table of this database that keeps others from reading or changing it.
    ///
    /// Ask on another connection than the one that waited, or once its statement has ended. What the server hides of
    /// sessions of other roles is left out.
    ///
    /// - Returns: a line for each, those that hold a lock first and the oldest of them; none when they have gone.
    public static func lines(_ connection: PostgresConnection) throws(PostgresError) -> [String] {
        let result = try connection.execute(
            """
            SELECT n.nspname || '.' || c.relname, l.mode, l.granted, a.pid, a.usename,
                nullif(a.application_name, ''), COALESCE(host(a.client_addr), CASE WHEN a.client_port = -1 THEN 'this host' END),
                a.state, to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
                floor(extract(epoch FROM clock_timestamp() - a.xact_start))::bigint,
                array_to_string(pg_blocking_pids(a.pid), ', ')
            FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) JOIN pg_class AS c ON c.oid = l.relation
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE l.locktype = 'relation' AND a.pid <> pg_backend_pid()
                AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
                AND c.relkind IN ('r', 'p', 'm') AND n.nspname <> 'pg_catalog' AND n.nspname NOT LIKE 'pg\\_toast%'
            ORDER BY l.granted DESC, l.mode = 'AccessExclusiveLock' DESC, a.xact_start LIMIT \(limit)
            """)
        return (0..<result.rows).map { row in
            func text(_ column: Int) -> String? { result.text(row, column).flatMap { $0.isEmpty ? nil : $0 } }
            let isHeld = result.bool(row, 2) == true
            let parts = [
                "\(text(0) ?? "?"): \(text(1) ?? "?") \(isHeld ? "held" : "waited for") by pid \(text(3) ?? "?")",
                text(4).map { "user \($0)" }, text(5).map { "application \($0)" }, text(6).map { "client \($0)" },
                text(7), text(8).map { "since \($0) UTC" + (text(9).map { " (\($0) s)" } ?? "") },
                isHeld ? nil : text(10).map { "itself behind pid \($0)" },
            ]
            return parts.compactMap { $0 }.joined(separator: ", ")
        }
    }
}
