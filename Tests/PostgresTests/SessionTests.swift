import Postgres
import Support
import Testing

@Suite(.database) struct SessionTests {
    private let database = TestDatabase.current

    static let common: [String: String] = [
        "lock_timeout": "5s", "statement_timeout": "1min", "idle_in_transaction_session_timeout": "1min",
        "default_transaction_isolation": "read committed", "default_transaction_deferrable": "off",
        "standard_conforming_strings": "on", "array_nulls": "on", "quote_all_identifiers": "off",
        "gin_fuzzy_search_limit": "0", "exit_on_error": "off", "client_min_messages": "warning", "jit": "off",
    ]
    /// The opposite values, by which a role's settings would break what the design depends on.
    static let hostile: [String: String] = [
        "lock_timeout": "0", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0",
        "default_transaction_isolation": "serializable", "default_transaction_deferrable": "on",
        "standard_conforming_strings": "off", "array_nulls": "off", "quote_all_identifiers": "on",
        "gin_fuzzy_search_limit": "5", "exit_on_error": "on", "client_min_messages": "debug1", "jit": "on",
    ]
    static let values: [String: (ours: String, hostile: String)] = [
        "DateStyle": ("ISO, YMD", "German, DMY"), "IntervalStyle": ("postgres", "sql_standard"),
        "TimeZone": ("UTC", "Asia/Tokyo"), "timezone_abbreviations": ("Default", "Australia"),
        "extra_float_digits": ("3", "-15"), "bytea_output": ("hex", "escape"), "lc_monetary": ("C", "C.UTF-8"),
        "xmlbinary": ("base64", "hex"), "xmloption": ("content", "document"),
    ]

    private func settings(_ setup: [String], _ names: some Sequence<String>) throws -> [String: String] {
        let connection = try database.connect(setup: setup)
        var found: [String: String] = [:]
        for name in names { found[name] = try connection.execute("SHOW \(name)").text(0, 0) }
        return found
    }

    @Test func sessionOfTheLedgerHasItsTimeoutsAndCommitsDurably() throws {
        let expected = Self.common.merging(["synchronous_commit": "on"]) { $1 }
        #expect(try settings(PostgresSession.ledger, expected.keys) == expected)
    }

    @Test func sessionForBatchesHasItsTimeoutsAndPlansByTheKeysIndex() throws {
        let expected = Self.common.merging([
            "synchronous_commit": "off", "plan_cache_mode": "force_generic_plan", "enable_seqscan": "on",
            "enable_bitmapscan": "on", "enable_hashjoin": "on", "enable_nestloop": "on", "enable_mergejoin": "on",
        ]) { $1 }
        #expect(try settings(PostgresSession.batches, expected.keys) == expected)
        let byIndex = expected.merging(["enable_seqscan": "off", "enable_bitmapscan": "off"]) { $1 }
        #expect(try settings(PostgresSession.batches + PostgresSession.byIndex, byIndex.keys) == byIndex)
    }

    @Test func sessionNoticesThatItsClientIsGone() throws {
        let connection = try database.connect(setup: PostgresSession.batches)
        guard connection.serverVersion >= 140_000 else { return }
        #expect(try connection.execute("SHOW client_connection_check_interval").text(0, 0) == "10s")
    }

    @Test func settingsWinOverThoseOfTheRole() throws {
        let role = try database.makeRole()
        let owner = try database.connect()
        #expect(Self.hostile.keys.sorted() == Self.common.keys.sorted())
        for (name, value) in Self.hostile { try owner.execute("ALTER ROLE \(role) SET \(name) = '\(value)'") }
        try owner.execute("ALTER ROLE \(role) SET synchronous_commit = off")
        let connection = try database.connect(role: role, setup: PostgresSession.ledger)
        for (name, value) in Self.common {
            #expect(try connection.execute("SHOW \(name)").text(0, 0) == value, "\(name)")
        }
        #expect(try connection.execute("SHOW synchronous_commit").text(0, 0) == "on")
    }

    /// The role's timeout holds until the session has set its own. That may take longer than the timeout: here the
    /// server parses two megabytes.
    @Test func roleWithTheShortestStatementTimeoutGetsItsSession() throws {
        let role = try database.makeRole(setting: "statement_timeout = '1ms'")
        let long = "SELECT " + Array(repeating: "1", count: 1500).joined(separator: ", ")
        let setup = PostgresSession.ledger + Array(repeating: long, count: 500)
        let connection = try database.connect(role: role, setup: setup)
        #expect(try connection.execute("SHOW statement_timeout").text(0, 0) == "1min")
    }

    /// A role has set these timeouts. The test's server may be older than the version that introduced them.
    @Test func timeoutsThatEndIdleOrLongSessionsAreOffWhereTheServerHasThem() throws {
        let owner = try database.connect()
        for (name, since) in [("idle_session_timeout", 140_000), ("transaction_timeout", 170_000)]
        where owner.serverVersion >= since {
            let role = try database.makeRole(setting: "\(name) = '1h'")
            let connection = try database.connect(role: role, setup: PostgresSession.batches)
            #expect(try connection.execute("SHOW \(name)").text(0, 0) == "0")
        }
    }

    @Test func textFormsOfValuesAreTheSameWhateverTheRoleSays() throws {
        let role = try database.makeRole()
        let owner = try database.connect()
        for (name, value) in Self.values { try owner.execute("ALTER ROLE \(role) SET \(name) = '\(value.hostile)'") }
        let connection = try database.connect(role: role, setup: PostgresSession.batches + PostgresSession.values())
        for (name, value) in Self.values {
            #expect(try connection.execute("SHOW \(name)").text(0, 0) == value.ours, "\(name)")
        }
        let row = try connection.execute(
            """
            SELECT timestamptz '2026-11-25 12:00+02', 0.1::float8 + 0.2, '\\xff'::bytea, interval '1 day 2:00',
                '12.34'::money
            """)
        let texts = (0..<row.columns).map { row.text(0, $0) ?? "null" }
        #expect(texts == ["2026-11-25 10:00:00+00", "0.30000000000000004", "\\xff", "1 day 02:00:00", "$12.34"])
        // The server must refuse an ambiguous date, and not choose between 1 February and 2 January.
        #expect(try postgresError { try connection.execute("SELECT '01/02/2026'::date") }.sqlState == "22008")
    }

    @Test(arguments: ["Europe/Berlin", "Pacific/Apia"]) func timeZoneOfValuesMayBeAnother(zone: String) throws {
        let connection = try database.connect(setup: PostgresSession.values(timeZone: zone))
        #expect(try connection.execute("SHOW TimeZone").text(0, 0) == zone)
    }

    @Test func timeZoneIsAValueAndNoStatement() throws {
        let setup = PostgresSession.values(timeZone: "UTC'; CREATE TABLE t (); SELECT '")
        #expect(try postgresError { _ = try database.connect(setup: setup) }.sqlState == "22023")
    }
}
