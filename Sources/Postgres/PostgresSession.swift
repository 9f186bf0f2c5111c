/// How coord's sessions are set up. The server's own defaults leave every timeout off.
public enum PostgresSession {
    /// A batch that waits longer for a lock is rolled back and tried again.
    public static let lockTimeoutSeconds = 5
    /// A statement that runs longer is cancelled.
    public static let statementTimeoutSeconds = 60
    static let idleInTransactionTimeoutSeconds = 60

    /// What the design depends on, whatever the role, the database or the server's own file say.
    ///
    /// Not among them: what belongs to the user's own expressions (`transform_null_equals`, `default_text_search_config`,
    /// `search_path`, `row_security`, `session_replication_role`), what a role may not set (`lc_messages`, `log_…`), and
    /// `default_transaction_read_only`, which is refused with its reason elsewhere.
    private static func common() -> [String] {
        [
            // First: until it is set, the role's own limit holds.
            "SET statement_timeout = '\(statementTimeoutSeconds)s'",
            "SET lock_timeout = '\(lockTimeoutSeconds)s'",
            "SET idle_in_transaction_session_timeout = '\(idleInTransactionTimeoutSeconds)s'",
            whereKnown([
                // Since PostgreSQL 14.
                ("client_connection_check_interval", "10s"),
                // Since 14: a session of coord's may well idle, while a program computes or nothing is to be done.
                ("idle_session_timeout", "0"),
                // Since 17: the other timeouts bound every transaction.
                ("transaction_timeout", "0"),
            ]),
            // The batch's compare and its fence are re-checked on the newest version of a row.
            "SET default_transaction_isolation = 'read committed'",
            "SET default_transaction_deferrable = off",
            "SET standard_conforming_strings = on",
            "SET array_nulls = on",
            "SET quote_all_identifiers = off",
            // Rows that a GIN index drops at random beyond the limit would be left out in silence.
            "SET gin_fuzzy_search_limit = 0",
            "SET exit_on_error = off",
            "SET client_min_messages = warning",
            "SET jit = off",
        ]
    }

    /// Settings that not every supported version knows: those that it does not are left out.
    private static func whereKnown(_ settings: [(name: String, value: String)]) -> String {
        let rows = settings.map { "('\($0.name)', '\($0.value)')" }.joined(separator: ", ")
        return """
            SELECT pg_catalog.set_config(name, value, false) FROM (VALUES \(rows)) AS setting (name, value)
            WHERE pg_catalog.current_setting(name, true) IS NOT NULL
            """
    }

    /// What the text forms of values depend on, in and out: with them a value's text is the same in every session, and
    /// reads back as the value that it was. As pg_dump and postgres_fdw pin them.
    ///
    /// Beside them in `pg_settings`, and not here: `client_encoding`, which every connection sets; `lc_numeric` and
    /// `lc_time`, which only `to_char` and its like heed; `search_path`, by which `reg…` types print names; and
    /// `quote_all_identifiers`, `array_nulls` and `standard_conforming_strings`, which all sessions have.
    ///
    /// - Parameter timeZone: a name of `pg_timezone_names`; nil for UTC.
    public static func values(timeZone: String? = nil) -> [String] {
        let zone = (timeZone ?? "UTC").replacing("'", with: "''")
        return [
            // The order is for input: 2026-11-25 alone is taken, and 01/02/2026, which nobody can read with certainty, is
            // an error instead of one of two days.
            "SET DateStyle = 'ISO, YMD'",
            "SET IntervalStyle = 'postgres'",
            "SET TimeZone = '\(zone)'",
            // Which abbreviations are known for input, and for which offset.
            "SET timezone_abbreviations = 'Default'",
            // All digits, also of real; 1 has been enough since PostgreSQL 12.
            "SET extra_float_digits = 3",
            "SET bytea_output = 'hex'",
            // The sign and the separators of money.
            "SET lc_monetary = 'C'",
            "SET xmlbinary = 'base64'",
            // Also what is not a whole document is taken.
            "SET xmloption = 'content'",
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
