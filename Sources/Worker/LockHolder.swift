import Postgres

/// Who holds a lock of a table that an update has to wait for.
enum LockHolder {
    /// - Returns: the holder of the strongest such lock, in words; nil when there is none that can be seen.
    static func describe(of table: UInt32, _ connection: PostgresConnection) throws -> String? {
        let result = try connection.execute(
            """
            SELECT l.pid, l.mode, a.usename, COALESCE(a.client_addr::pg_catalog.text, 'local'), a.application_name, a.state,
                pg_catalog.round(pg_catalog.date_part('epoch',
                    pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) a.xact_start)::pg_catalog.numeric, 0), l.granted
            FROM pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid OPERATOR(pg_catalog.=) l.pid
            WHERE l.relation OPERATOR(pg_catalog.=) $1::pg_catalog.oid
                AND l.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database AS d
                    WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
                AND l.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()
                AND l.mode OPERATOR(pg_catalog.=) ANY ('{ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}')
            ORDER BY l.granted DESC, l.mode LIMIT 1
            """, ["\(table)"])
        guard result.rows == 1 else { return nil }
        func text(_ column: Int) -> String { result.text(0, column) ?? "?" }
        let held = result.bool(0, 7) == true ? "holds" : "waits for"
        return "pid \(text(0)) (\(text(2))@\(text(3)), \(text(4)), \(text(5)), \(text(6)) s), which \(held) \(text(1)) on the table"
    }
}
