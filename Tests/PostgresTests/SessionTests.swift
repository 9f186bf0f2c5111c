import Postgres
import Testing

@Suite(.database) struct SessionTests {
    private let database = TestDatabase.current

    static let common: [String: String] = [
        "lock_timeout": "5s", "statement_timeout": "1min", "idle_in_transaction_session_timeout": "1min",
        "standard_conforming_strings": "on", "jit": "off",
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
        try owner.execute("ALTER ROLE \(role) SET standard_conforming_strings = off")
        try owner.execute("ALTER ROLE \(role) SET synchronous_commit = off")
        let connection = try database.connect(role: role, setup: PostgresSession.ledger)
        #expect(try connection.execute("SHOW standard_conforming_strings").text(0, 0) == "on")
        #expect(try connection.execute("SHOW synchronous_commit").text(0, 0) == "on")
    }
}
