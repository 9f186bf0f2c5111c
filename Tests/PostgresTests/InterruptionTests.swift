import Postgres
import Support
import Testing

@Suite(.database) struct InterruptionTests {
    private let database = TestDatabase.current

    /// Returns once the session sleeps in its statement.
    private func awaitSleep(of pid: Int32, _ watcher: PostgresConnection) async throws {
        try await watcher.awaitTrue(
            "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = \(pid) AND wait_event = 'PgSleep'",
            "the statement never ran")
    }

    @Test func statementIsCancelledFromAnotherThread() async throws {
        let session = TestSession(database.settings())
        let watcher = try database.connect()
        let (pid, cancel) = try await session.with { ($0.backendPID, $0.cancelHandle()) }
        async let outcome = session.with { connection in
            try postgresError { try connection.execute("SELECT pg_sleep(30)") }
        }
        try await awaitSleep(of: pid, watcher)
        try #require(cancel).cancel()
        let error = try await outcome
        #expect(error.sqlState == "57014")
        #expect(error.recovery == .retry)
        #expect(try await session.with { try $0.execute("SELECT 1").int(0, 0) } == 1)
    }

    @Test func cancelOfAStatementThatHasEndedDoesNothing() throws {
        let connection = try database.connect()
        let cancel = try #require(connection.cancelHandle())
        try connection.execute("SELECT 1")
        cancel.cancel()
        #expect(connection.isAlive)
    }

    @Test func sessionThatTheServerEndedIsNoticedByTheNextStatement() throws {
        let connection = try database.connect()
        let killer = try database.connect()
        try killer.terminateSessions("pid = \(connection.backendPID)")
        let error = try postgresError { try connection.execute("SELECT 1") }
        #expect(error.recovery == .reconnect)
        #expect(!connection.isAlive)
        #expect(try postgresError { try connection.execute("SELECT 1") }.recovery == .reconnect)
    }

    @Test func sessionThatTheServerEndsInAStatementIsNoticed() async throws {
        let session = TestSession(database.settings())
        let watcher = try database.connect()
        let pid = try await session.pid()
        async let outcome = session.with { connection in
            let error = try postgresError { try connection.execute("SELECT pg_sleep(30)") }
            return (error, connection.isAlive)
        }
        try await awaitSleep(of: pid, watcher)
        try watcher.execute("SELECT pg_terminate_backend(\(pid))")
        let (error, alive) = try await outcome
        #expect(error.recovery == .reconnect)
        #expect(!alive)
    }

    @Test func sessionThatTheServerEndedIsNoticedInAPipeline() throws {
        let connection = try database.connect()
        let killer = try database.connect()
        try connection.prepare("one", "SELECT 1")
        try connection.enterPipeline()
        try killer.terminateSessions("pid = \(connection.backendPID)")
        let error = try postgresError {
            try connection.send(prepared: "one", PostgresParameters())
            try connection.sync()
            _ = try connection.nextResult()
        }
        #expect(error.recovery == .reconnect)
        #expect(try postgresError { try connection.nextSync() }.recovery == .reconnect)
        #expect(!connection.isAlive)
    }

    @Test func transactionThatIdlesTooLongMeansReconnect() async throws {
        let connection = try database.connect(setup: ["SET idle_in_transaction_session_timeout = '20ms'"])
        let watcher = try database.connect()
        try connection.execute("BEGIN")
        try await watcher.awaitTrue(
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = \(connection.backendPID)", "the session lives on")
        #expect(try postgresError { try connection.execute("SELECT 1") }.recovery == .reconnect)
    }

    @Test func lockTimeoutIsWorthATryAgain() throws {
        let holder = try database.connect()
        let waiter = try database.connect(setup: ["SET lock_timeout = '20ms'"])
        try holder.execute("CREATE TABLE t (i int)")
        try holder.execute("BEGIN")
        try holder.execute("LOCK TABLE t")
        let error = try postgresError { try waiter.execute("SELECT * FROM t") }
        #expect(error.sqlState == "55P03")
        #expect(error.recovery == .retry)
    }
}
