import Postgres
import Support
import Testing

@Suite(.database) struct PipelineTests {
    private let connection: PostgresConnection

    init() throws {
        connection = try TestDatabase.current.connect()
        try connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
        try connection.prepare("insert", "INSERT INTO t VALUES ($1::int)")
        try connection.prepare("divide", "SELECT 10 / $1::int")
        try connection.prepare("series", "SELECT i, repeat('x', 100) FROM generate_series(1, $1::int) AS i")
        try connection.prepare("late error", "SELECT 100 / (50 - i) FROM generate_series(1, 100) AS i")
    }

    private func send(_ name: String, _ number: Int) throws {
        try connection.send(prepared: name, PostgresParameters(["\(number)"]))
    }

    @Test func resultsComeInTheOrderOfTheStatements() throws {
        try connection.enterPipeline()
        for number in [1, 2, 5] { try send("divide", number) }
        try connection.sync()
        try send("divide", 10)
        try connection.sync()
        #expect(try connection.nextResult().int(0, 0) == 10)
        #expect(try connection.nextResult().int(0, 0) == 5)
        #expect(try connection.nextResult().int(0, 0) == 2)
        try connection.nextSync()
        #expect(try connection.nextResult().int(0, 0) == 1)
        try connection.nextSync()
        try connection.leavePipeline()
        #expect(try connection.execute("SELECT 1").int(0, 0) == 1)
    }

    @Test func errorRollsItsOwnImplicitTransactionBackAndNotTheNext() throws {
        try connection.enterPipeline()
        try send("insert", 1)
        try send("divide", 0)
        try send("insert", 2)
        try connection.sync()
        try send("insert", 3)
        try connection.sync()

        _ = try connection.nextResult()
        #expect(try postgresError { _ = try connection.nextResult() }.sqlState == "22012")
        let refused = try postgresError { _ = try connection.nextResult() }
        #expect(refused.sqlState == "25P02")
        #expect(refused.recovery == .permanent)
        try connection.nextSync()
        _ = try connection.nextResult()
        try connection.nextSync()
        try connection.leavePipeline()
        #expect(try connection.execute("SELECT string_agg(id::text, ',') FROM t").text(0, 0) == "3")
        #expect(connection.isAlive)
    }

    @Test func pipelineCannotBeLeftWhileResultsAreOutstanding() throws {
        try connection.enterPipeline()
        try send("divide", 1)
        try connection.sync()
        _ = try postgresError { try connection.leavePipeline() }
        #expect(try connection.nextResult().int(0, 0) == 10)
        try connection.nextSync()
        try connection.leavePipeline()
    }

    // MARK: - Row by row

    private func rows(wanted: Int = .max) throws -> [String] {
        var rows: [String] = []
        try connection.forEachRow { row in
            rows.append(row.text(0) ?? "null")
            return rows.count < wanted
        }
        return rows
    }

    @Test func rowsComeOneByOneInOrder() throws {
        try connection.enterPipeline()
        try send("series", 5000)
        try connection.sync()
        let rows = try self.rows()
        try connection.nextSync()
        try connection.leavePipeline()
        #expect(rows == (1...5000).map(String.init))
    }

    @Test func rowsThatAreNotWantedAreDrained() throws {
        try connection.enterPipeline()
        try send("series", 5000)
        try connection.sync()
        try send("series", 3)
        try connection.sync()
        #expect(try rows(wanted: 2) == ["1", "2"])
        try connection.nextSync()
        #expect(try rows() == ["1", "2", "3"])
        try connection.nextSync()
        try connection.leavePipeline()
        #expect(try connection.execute("SELECT 1").int(0, 0) == 1)
    }

    @Test func errorInTheMiddleIsThrownAfterTheRowsBeforeIt() throws {
        try connection.enterPipeline()
        try connection.send(prepared: "late error", PostgresParameters())
        try connection.sync()
        try send("series", 2)
        try connection.sync()
        var seen = 0
        let error = try postgresError {
            try connection.forEachRow { _ in
                seen += 1
                return true
            }
        }
        #expect(error.sqlState == "22012")
        #expect(seen == 49)
        try connection.nextSync()
        #expect(try rows() == ["1", "2"])
        try connection.nextSync()
        try connection.leavePipeline()
    }

    @Test func rowByRowReadAfterAWriteThatFailedGivesItsRows() throws {
        try connection.enterPipeline()
        try send("divide", 0)
        try connection.sync()
        try send("series", 2)
        try connection.sync()
        #expect(try postgresError { _ = try connection.nextResult() }.sqlState == "22012")
        try connection.nextSync()
        #expect(try rows() == ["1", "2"])
        try connection.nextSync()
        try connection.leavePipeline()
    }

    @Test func statementWithoutRowsCallsNobody() throws {
        try connection.enterPipeline()
        try send("series", 0)
        try connection.sync()
        #expect(try rows() == [])
        try connection.nextSync()
        try connection.leavePipeline()
    }

    @Test func rowGivesNullsAndBytes() throws {
        try connection.prepare("values", "SELECT NULL, '', 'ä'")
        try connection.enterPipeline()
        try connection.send(prepared: "values", PostgresParameters())
        try connection.sync()
        var called = 0
        try connection.forEachRow { row in
            called += 1
            #expect(row.bytes(0) == nil)
            #expect(row.bytes(1)?.isEmpty == true)
            #expect(row.bytes(2).map(Array.init) == [0xC3, 0xA4])
            return true
        }
        try connection.nextSync()
        try connection.leavePipeline()
        #expect(called == 1)
    }
}
