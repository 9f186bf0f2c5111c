/// How coord's sessions are set up. The server's own defaults leave every timeout off.
public enum PostgresSession {
    /// A batch that waits longer for a lock is rolled back and tried again.
    public static let lockTimeoutSeconds = 5
    /// A statement that runs longer is cancelled.
    public static let statementTimeoutSeconds = 60
    public static let idleInTransactionTimeoutSeconds = 60

    private static func common() -> [String] {
        [
            "SET lock_timeout = '\(lockTimeoutSeconds)s'",
            "SET statement_timeout = '\(statementTimeoutSeconds)s'",
            "SET idle_in_transaction_session_timeout = '\(idleInTransactionTimeoutSeconds)s'",
            // Since PostgreSQL 14; elsewhere it is not a known setting and nothing is returned.
            """
            SELECT set_config(name, '10s', false) FROM (SELECT 'client_connection_check_interval' AS name) AS setting
            WHERE current_setting(name, true) IS NOT NULL
            """,
            "SET standard_conforming_strings = on",
            "SET jit = off",
        ]
    }

    /// For the ledger's own statements: leases and completion are durable before anybody acts on them.
    public static let ledger: [String] = common() + ["SET synchronous_commit = on"]

    /// For batches. A commit may be lost in a crash of the server, but then with its checkpoint, since both are in one
    /// transaction and replay is in commit order; the completion of the run is committed durably after all of them.
    /// Generic plans: a custom plan for a batch may scan the whole table.
    public static let batches: [String] =
        common() + ["SET synchronous_commit = off", "SET plan_cache_mode = force_generic_plan"]

    /// Has batches go by the key's index. All other queries of the session are planned so too.
    public static let byIndex: [String] = [
        "SET enable_indexscan = on", "SET enable_indexonlyscan = on", "SET enable_tidscan = on",
        "SET enable_seqscan = off",
        "SET enable_bitmapscan = off",
    ]
}
