/// The set-up of coord's sessions. The server's defaults leave every timeout off.
public enum PostgresSession {
    /// A batch that waits longer for a lock is rolled back and tried again.
    public static let lockTimeoutSeconds = 5
    /// A statement that runs longer is cancelled.
    public static let statementTimeoutSeconds = 60
    static let idleInTransactionTimeoutSeconds = 60

    /// Settings that the design depends on, whatever the role, the database or the server's configuration say.
    ///
    /// Left alone are the settings that the job's expressions may depend on (`transform_null_equals`,
    /// `default_text_search_config`, `search_path`, `row_security`, `session_replication_role`), the settings that a
    /// role may not change (`lc_messages`, `log_…`), and `default_transaction_read_only`: a read-only session is
    /// refused elsewhere, with a reason.
    private static func common() -> [String] {
        [
            // First, since the role's limit holds until then.
            "SET statement_timeout = '\(statementTimeoutSeconds)s'",
            "SET lock_timeout = '\(lockTimeoutSeconds)s'",
            "SET idle_in_transaction_session_timeout = '\(idleInTransactionTimeoutSeconds)s'",
            whereKnown([
                // Since PostgreSQL 14.
                ("client_connection_check_interval", "10s"),
                // Since 14. A session of coord is idle while a program computes or no work is due.
                ("idle_session_timeout", "0"),
                // Since 17. The other timeouts bound every transaction already.
                ("transaction_timeout", "0"),
            ]),
            // The batch's compare and its fence are re-checked on the newest version of a row.
            "SET default_transaction_isolation = 'read committed'",
            "SET default_transaction_deferrable = off",
            "SET standard_conforming_strings = on",
            "SET array_nulls = on",
            "SET quote_all_identifiers = off",
            // Beyond this limit a GIN index drops rows at random, and a batch would silently miss them.
            "SET gin_fuzzy_search_limit = 0",
            "SET exit_on_error = off",
            "SET client_min_messages = warning",
            "SET jit = off",
        ]
    }

    /// Settings that only some supported versions know. A setting that the server does not know is left out.
    private static func whereKnown(_ settings: [(name: String, value: String)]) -> String {
        let rows = settings.map { "('\($0.name)', '\($0.value)')" }.joined(separator: ", ")
        return """
            SELECT pg_catalog.set_config(name, value, false) FROM (VALUES \(rows)) AS setting (name, value)
            WHERE pg_catalog.current_setting(name, true) IS NOT NULL
            """
    }

    /// Settings that the text forms of values depend on. With them a value has the same text in every session, and that
    /// text reads back as the same value. pg_dump and postgres_fdw pin the same settings.
    ///
    /// Not needed here: `client_encoding`, which every connection sets; `lc_numeric` and `lc_time`, which only
    /// functions like `to_char` heed; `search_path`, which decides how `reg…` types print names; and
    /// `quote_all_identifiers`, `array_nulls` and `standard_conforming_strings`, which all sessions have.
    ///
    /// - Parameter timeZone: a name of `pg_timezone_names`; nil for UTC.
    public static func values(timeZone: String? = nil) -> [String] {
        let zone = (timeZone ?? "UTC").replacing("'", with: "''")
        return [
            // The order is for input: 2026-11-25 is accepted, and the ambiguous 01/02/2026 is an error instead of one
            // of two days.
            "SET DateStyle = 'ISO, YMD'",
            "SET IntervalStyle = 'postgres'",
            "SET TimeZone = '\(zone)'",
            // The known abbreviations of time zones in input, and their offsets.
            "SET timezone_abbreviations = 'Default'",
            // All digits, also of real. Since PostgreSQL 12, 1 would do.
            "SET extra_float_digits = 3",
            "SET bytea_output = 'hex'",
            // The sign and the separators of money.
            "SET lc_monetary = 'C'",
            "SET xmlbinary = 'base64'",
            // Also accepts XML that is no whole document.
            "SET xmloption = 'content'",
        ]
    }

    /// For the ledger's own statements: leases and completion are durable before anybody acts on them.
    public static let ledger: [String] = common() + ["SET synchronous_commit = on"]

    /// For batches. A crash of the server may lose a commit, but only together with its checkpoint, since both are in
    /// one transaction. Replay is in commit order, and the completion of the run is committed durably after all
    /// batches. Plans are generic: a custom plan for a batch may scan the whole table.
    public static let batches: [String] =
        common() + ["SET synchronous_commit = off", "SET plan_cache_mode = force_generic_plan"]

    /// Makes the planner use the key's index for batches. The settings hold for all other queries of the session too.
    public static let byIndex: [String] = [
        "SET enable_indexscan = on", "SET enable_indexonlyscan = on", "SET enable_tidscan = on",
        "SET enable_seqscan = off",
        "SET enable_bitmapscan = off",
    ]
}
