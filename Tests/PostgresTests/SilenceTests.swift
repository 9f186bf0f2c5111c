import Glibc
import Postgres
import Support
import Testing

/// The server goes silent for good while the TCP connection lives. Nothing may hang then. The time limit includes the
/// wait for a database, so it is generous.
@Suite(.database, .timeLimit(.minutes(5))) struct SilenceTests {
    private let database = TestDatabase.current
    private static let limit = Duration.milliseconds(400)

    private func settings(
        _ servers: String, more: String = "", interrupt: PostgresInterrupt? = nil, limit: Duration = Self.limit
    ) -> PostgresConnection.Settings {
        .init(
            conninfo: "\(servers) dbname=\(database.name) sslmode=disable gssencmode=disable \(more)",
            applicationName: "coord test", silenceLimit: limit, interrupt: interrupt)
    }

    /// Runs `body` with a connection through a proxy, and with the proxy.
    private func throughProxy(
        limit: Duration = Self.limit, _ body: (SilentProxy, PostgresConnection) throws -> Void
    ) throws {
        let proxy = try SilentProxy()
        defer { proxy.end() }
        try body(proxy, try PostgresConnection(settings("host=127.0.0.1 port=\(proxy.port)", limit: limit)))
    }

    private func expectGivenUp(_ connection: PostgresConnection, _ body: () throws -> Void) throws {
        let error = try postgresError(body)
        #expect(error.message == "the server has said nothing for 0.4 s: the connection was given up")
        #expect(error.sqlState == nil && error.recovery == .reconnect)
        #expect(!connection.isAlive)
        // Every later call fails at once with the same error.
        #expect(try postgresError { try connection.execute("SELECT 1") } == error)
        #expect(try postgresError { try connection.prepare("late", "SELECT 1") } == error)
        #expect(try postgresError { _ = try connection.nextResult() } == error)
    }

    @Test func statementWithoutAnAnswerIsGivenUp() throws {
        try throughProxy { proxy, connection in
            try connection.execute("SELECT 1")
            proxy.fallSilent()
            try expectGivenUp(connection) { try connection.execute("SELECT 1") }
        }
    }

    @Test func answerThatStopsInTheMiddleIsGivenUp() throws {
        try throughProxy { proxy, connection in
            proxy.fallSilent(afterBytesOfTheServer: 20_000)
            try expectGivenUp(connection) { try connection.execute("SELECT repeat('x', 100000)") }
        }
    }

    /// The statement is larger than the buffers of the sockets, so that the connection waits to send.
    @Test func statementThatNobodyTakesIsGivenUp() throws {
        try throughProxy { proxy, connection in
            let text = String(repeating: "x", count: 32 << 20)
            proxy.fallSilent()
            try expectGivenUp(connection) { try connection.execute("SELECT length($1)", [text]) }
        }
    }

    @Test func pipelineWithoutAnAnswerIsGivenUp() throws {
        try throughProxy { proxy, connection in
            try connection.prepare("one", "SELECT 1")
            try connection.enterPipeline()
            for _ in 0..<2 {
                try connection.send(prepared: "one", PostgresParameters())
                try connection.sync()
            }
            for _ in 0..<2 {
                _ = try connection.nextResult()
                try connection.nextSync()
            }
            proxy.fallSilent()
            try connection.send(prepared: "one", PostgresParameters())
            try connection.sync()
            try expectGivenUp(connection) { _ = try connection.nextResult() }
        }
    }

    @Test func pipelineThatNobodyTakesIsGivenUp() throws {
        try throughProxy { proxy, connection in
            try connection.prepare("length", "SELECT length($1::text)")
            try connection.enterPipeline()
            proxy.fallSilent()
            let text = String(repeating: "x", count: 32 << 20)
            try expectGivenUp(connection) {
                try connection.send(prepared: "length", PostgresParameters([text]))
                try connection.sync()
            }
        }
    }

    @Test func rowsThatStopComingAreGivenUp() throws {
        try throughProxy { proxy, connection in
            try connection.prepare("rows", "SELECT i, repeat('x', 1000) FROM generate_series(1, 1000) AS i")
            try connection.enterPipeline()
            try connection.send(prepared: "rows", PostgresParameters())
            proxy.fallSilent(afterBytesOfTheServer: 100_000)
            var rows = 0
            try connection.sync()
            try expectGivenUp(connection) {
                try connection.forEachRow { _ in
                    rows += 1
                    return true
                }
            }
            #expect(rows > 50 && rows < 100)
        }
    }

    /// The limit counts the server's silence, not its work.
    @Test func serverThatGoesOnSayingSomethingMayTakeLong() throws {
        try throughProxy(limit: .seconds(1)) { _, connection in
            let result = try connection.execute(
                "SELECT repeat('x', 10000), pg_sleep(0.15) FROM generate_series(1, 10)")
            #expect(result.rows == 10)
        }
    }

    /// Both ends have more to send than the buffers hold. A client that only sends would wait for ever.
    @Test func largePipelineBothWaysDoesNotDeadlock() throws {
        let connection = try database.connect()
        try connection.prepare("echo", "SELECT $1::text")
        let text = String(repeating: "x", count: 1 << 20)
        try connection.enterPipeline()
        for _ in 0..<16 {
            try connection.send(prepared: "echo", PostgresParameters([text]))
            try connection.sync()
        }
        for _ in 0..<16 {
            #expect(try connection.nextResult().bytes(0, 0)?.count == text.utf8.count)
            try connection.nextSync()
        }
        try connection.leavePipeline()
    }

    @Test func copyIsRefusedInsteadOfWaitedFor() throws {
        let connection = try database.connect()
        let error = try postgresError { try connection.execute("COPY (SELECT 1) TO STDOUT") }
        #expect(error.sqlState == "0A000")
        #expect(!connection.isAlive)
    }

    @Test func statementAloneIsRefusedWithinAPipeline() throws {
        let connection = try database.connect()
        try connection.enterPipeline()
        #expect(try postgresError { try connection.execute("SELECT 1") }.sqlState == "55000")
        try connection.leavePipeline()
        #expect(try connection.execute("SELECT 1").int(0, 0) == 1)
    }

    @Test func scriptOfManyStatementsEndsWithItsFirstError() throws {
        #expect(
            try postgresError { _ = try database.connect(setup: ["SELECT 1", "SELECT 1/0", "SELEKT"]) }.sqlState
                == "42601")
        #expect(try postgresError { _ = try database.connect(setup: ["SELECT 1", "SELECT 1/0"]) }.sqlState == "22012")
        #expect(try database.connect(setup: ["SELECT 1", "SELECT 2", ""]).execute("SELECT 3").int(0, 0) == 3)
    }

    // MARK: - Connecting

    @Test(arguments: [0, 9, 200]) func connectionThatIsNotAnsweredIsGivenUp(afterBytes: Int) throws {
        let proxy = try SilentProxy()
        defer { proxy.end() }
        // The proxy forwards nothing, or the message that accepts the session, or a part of what follows it.
        if afterBytes == 0 { proxy.fallSilent() } else { proxy.fallSilent(afterBytesOfTheServer: afterBytes) }
        let error = try postgresError {
            _ = try PostgresConnection(settings("host=127.0.0.1 port=\(proxy.port) connect_timeout=1"))
        }
        #expect(error.message.hasPrefix("cannot connect: connection to server at \"127.0.0.1\""))
        #expect(error.message.hasSuffix("has said nothing for 1 s"))
        #expect(error.recovery == .reconnect)
    }

    @Test func setupThatIsNotAnsweredIsGivenUp() throws {
        let proxy = try SilentProxy()
        defer { proxy.end() }
        var settings = settings("host=127.0.0.1 port=\(proxy.port)")
        settings.setup = ["SELECT repeat('x', 1000000)"]
        proxy.fallSilent(afterBytesOfTheServer: 20_000)
        let error = try postgresError { _ = try PostgresConnection(settings) }
        #expect(error.message.contains("said nothing for 0.4 s"))
    }

    @Test func portThatNeitherTakesNorRefusesIsGivenUp() throws {
        let full = try FullPort()
        let error = try postgresError {
            _ = try PostgresConnection(settings("host=127.0.0.1 port=\(full.port) connect_timeout=1"))
        }
        #expect(error.message.contains("no answer for 1 s"))
        #expect(error.recovery == .reconnect)
    }

    @Test func hostsBehindASilentOneAreTried() throws {
        let proxy = try SilentProxy()
        defer { proxy.end() }
        proxy.fallSilent()
        let full = try FullPort()
        let server = (host: String(cString: getenv("PGHOST")), port: String(cString: getenv("PGPORT")))
        let list =
            "host=127.0.0.1,/nonexistent-folder,127.0.0.1,\(server.host) port=\(full.port),1,\(proxy.port),\(server.port)"
        let connection = try PostgresConnection(settings(list, more: "connect_timeout=1"))
        #expect(try connection.execute("SELECT 1").int(0, 0) == 1)
        let error = try postgresError {
            _ = try PostgresConnection(
                settings("host=127.0.0.1,/nonexistent-folder port=\(proxy.port),1", more: "connect_timeout=1"))
        }
        #expect(error.message.contains("said nothing for 1 s") && error.message.contains("/nonexistent-folder"))
    }

    @Test func timeLimitOfTheUsersOwnMustBeANumber() throws {
        let error = try postgresError { _ = try PostgresConnection(settings("", more: "connect_timeout=soon")) }
        #expect(error.recovery == .permanent)
        #expect(error.message.contains("connect_timeout"))
    }

    // MARK: - Interruption

    @Test func interruptEndsAStatementFromAnotherThread() async throws {
        let session = TestSession(database.settings())
        let watcher = try database.connect()
        let (pid, interrupt) = try await session.with { ($0.backendPID, $0.interruptHandle()) }
        async let outcome = session.with { connection in
            let error = try postgresError { try connection.execute("SELECT pg_sleep(50)") }
            return (error, connection.isAlive)
        }
        try await watcher.awaitTrue(
            "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = \(pid) AND wait_event = 'PgSleep'", "it never ran")
        interrupt.interrupt()
        let (error, isAlive) = try await outcome
        #expect(error.message == "the connection was given up, since this process ends")
        #expect(error.recovery == .reconnect && !isAlive)
    }

    @Test func interruptOfTheSettingsEndsTheWaitForAConnection() throws {
        let proxy = try SilentProxy()
        defer { proxy.end() }
        proxy.fallSilent()
        let interrupt = PostgresInterrupt()
        interrupt.interrupt()
        let settings = settings("host=127.0.0.1 port=\(proxy.port) connect_timeout=0", interrupt: interrupt)
        let error = try postgresError { _ = try PostgresConnection(settings) }
        #expect(error.message.contains("this process ends"))
    }

    @Test func cancelThatNobodyTakesDoesNotHang() throws {
        try throughProxy { proxy, connection in
            let cancel = try #require(connection.cancelHandle())
            proxy.fallSilent()
            #expect(!cancel.cancel())
        }
    }
}
