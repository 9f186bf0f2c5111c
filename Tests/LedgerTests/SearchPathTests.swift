import Postgres
import Sharding
import Support
import Testing

@testable import Ledger

/// Another role's functions that fit coord's calls better than PostgreSQL's own functions.
@Suite(.database) struct SearchPathTests {
    private let database = TestDatabase.current

    /// Signatures and result types. Each function raises an error that names it.
    static let traps = [
        ("make_interval(secs int)", "interval"), ("jsonb_build_object(text, name, text, bigint)", "jsonb"),
        ("jsonb_build_object(text, uuid)", "jsonb"), ("jsonb_build_object(text, name, text, text)", "jsonb"),
        ("pg_terminate_backend(int)", "boolean"), ("join_text(text, int)", "text"), ("quote_ident(name)", "text"),
    ]

    private func plant() throws {
        let role = try database.makeRole()
        try database.connect().execute("GRANT CREATE ON SCHEMA public TO \(role)")
        let attacker = try database.connect(role: role)
        for (signature, type) in Self.traps {
            try attacker.execute(
                """
                CREATE FUNCTION public.\(signature) RETURNS \(type) LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION 'trapped in \(signature)'; END $$
                """)
        }
        try attacker.execute(
            "CREATE OPERATOR public.|| (LEFTARG = text, RIGHTARG = int, FUNCTION = public.join_text)")
    }

    /// Removes the traps: the statements that prepare the database for the next test would call them, too.
    private func uproot() {
        do {
            try database.connect(setup: SearchPath.setup).execute("DROP SCHEMA public CASCADE")
        } catch {
            Issue.record(error)
        }
    }

    /// Runs all statements of a coordinator and of observers.
    private func live(_ store: TestLedger) throws {
        try store.installation.install()
        let ownership = try store.ownedRun(cutAt: ["1"])
        let run = ownership.run
        let leased = try LeasedShard(store, of: ownership)
        _ = try store.coordinator.renew(ownership, rowsPerSecond: 1)
        // Shard 1 has no session to end. The test is about the function that the statement calls.
        try store.coordinator.terminateHolder(of: ShardID(1), run: run)
        _ = try store.coordinator.recordAttempt(
            leased.lease, worker: .first, outcome: "failed", error: "why", permanent: true, attempts: 5, ownership)
        try store.coordinator.note([WorkerRecord(id: .first, host: "a", pid: 1)], of: run)
        _ = try store.reader.workers(of: run, includeGone: true)
        try store.end(1, of: run, as: .done)
        _ = try store.coordinator.load(run)
        _ = try store.coordinator.conclude(ownership)
        _ = try store.reader.runs()
        _ = try store.cancellation.lockHolders(of: run)
        try store.coordinator.noteAllLeft(run)
        try store.cancellation.cancel(run)
        _ = try store.coordinator.createRun(.sample(), plan: .cut(at: []), replacing: try store.reader.run(run))
        try store.installation.drop()
    }

    @Test func functionsOfOthersAreNotCalled() throws {
        defer { uproot() }
        try plant()
        let setup = SearchPath.setup + PostgresSession.ledger
        try live(TestLedger(try database.connect(setup: setup)))
        let late = try database.connect()
        #expect(try late.pinSearchPath() == "\"$user\", public")
        try live(TestLedger(late))
    }

    @Test func withoutThePinnedPathTheyWouldBe() throws {
        defer { uproot() }
        try plant()
        let store = TestLedger(try database.connect(setup: PostgresSession.ledger))
        let error = try postgresError { try live(store) }
        #expect(error.message.contains("trapped"))
    }

    @Test func triggersCallNobodysFunctionsInWhateverSession() throws {
        let store = try database.ledger()
        let run = try store.coordinator.createRun(.sample(), plan: .cut(at: []))
        defer { uproot() }
        try plant()
        let plain = try database.connect()
        try plain.execute("UPDATE coord.run SET state = 'paused', desired = 'cancelled', term = 1")
        try plain.execute("UPDATE coord.shard SET state = 'failed', epoch = 1")
        let kinds = "SELECT string_agg(kind, ' ' ORDER BY id) FROM coord.event WHERE run_id = \(run)"
        #expect(try store.value(kinds) == "run_planned run_paused asked_cancelled shard_failed")
    }

    @Test func runKeepsTheRolesOwnPath() throws {
        try database.connect().execute("ALTER DATABASE \(database.name) SET search_path = app, \"Odd, one\", public")
        let store = TestLedger(try database.connect(setup: SearchPath.setup + PostgresSession.ledger))
        try store.installation.install()
        #expect(try store.value("SELECT current_setting('search_path')") == SearchPath.pinned)
        let run = try store.coordinator.createRun(.sample(), plan: .cut(at: []))
        #expect(try store.reader.run(run).definition.searchPath == "app, \"Odd, one\", public")
    }

    @Test func pathIsSetBackAlsoAfterAnError() throws {
        let connection = try database.connect(setup: SearchPath.setup)
        func path() throws -> String? { try connection.execute("SHOW search_path").text(0, 0) }
        #expect(try connection.withSearchPath(try connection.ownSearchPath()) { try path() } == "\"$user\", public")
        #expect(try path() == SearchPath.pinned)
        #expect(throws: PostgresError.self) {
            try connection.withSearchPath("app") { _ = try connection.execute("SELECT nosuch()") }
        }
        #expect(try path() == SearchPath.pinned)
        try connection.execute("BEGIN")
        #expect(throws: PostgresError.self) {
            try connection.withSearchPath("app") { _ = try connection.execute("SELECT nosuch()") }
        }
        try connection.execute("ROLLBACK")
        #expect(try path() == SearchPath.pinned)
    }
}
