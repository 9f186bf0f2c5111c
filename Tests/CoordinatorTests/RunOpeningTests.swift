import Job
import Ledger
import Postgres
import Preflight
import Sharding
import Support
import Testing

@testable import Coordinator

@Suite(.database) struct RunOpeningTests {
    private let connection: PostgresConnection

    /// Makes a table of more than 1,024 pages, with room for HOT updates.
    init() throws {
        connection = try TestDatabase.current.connect()
        for statement in [
            """
            CREATE TABLE items (id bigint PRIMARY KEY, v int NOT NULL DEFAULT 0, todo boolean NOT NULL DEFAULT true,
                note text) WITH (autovacuum_enabled = off, fillfactor = 10)
            """,
            "ALTER TABLE items ALTER note SET STORAGE PLAIN",
            "INSERT INTO items (id, note) SELECT i, repeat('x', 70) FROM generate_series(1, 10000) AS i",
            "ANALYZE items",
        ] { try connection.execute(statement) }
    }

    private func opening() -> RunOpening {
        RunOpening(
            settings: TestDatabase.current.settings(setup: PostgresSession.ledger), schema: .standard, host: "north",
            pid: 7)
    }

    private func start(_ more: String = "") async throws -> RunOpening.Opened {
        let job = try Job.parse(
            text: "table: items\nset: { v: v + 1 }\n" + more, file: "items.yaml", directory: "/")
        return try await opening().start(job, file: "items.yaml", workers: 1, new: false)
    }

    /// Gives the run back, lets `statements` happen, and opens it again.
    private func resume(_ opened: RunOpening.Opened, after statements: String...) async throws -> RunOpening.Opened {
        let ledger = try TestDatabase.current.ledger()
        #expect(try ledger.coordinator.release(opened.ownership, as: .paused) == .paused)
        for statement in statements { try connection.execute(statement) }
        return try await opening().resume(opened.ownership.run) { _ in }
    }

    /// A shard that was begun in one order goes on in it.
    @Test func runByTheKeyIsNotExpectedToBeHotThoughTheCombIsPossibleNow() async throws {
        try connection.execute("CREATE INDEX items_v ON items (v)")
        let opened = try await start()
        #expect(opened.expectedHotShare == 0)
        let resumed = try await resume(opened, after: "DROP INDEX items_v")
        #expect(resumed.expectedHotShare == 0)
        // A new run would go by the comb.
        #expect(try await opening().preview(resumed.job, file: "items.yaml", workers: 1).order.comb != nil)
    }

    @Test func runByTheCombIsStillWatchedThoughANewOneWouldGoByTheKey() async throws {
        let opened = try await start("where: todo\n")
        #expect(opened.expectedHotShare > 0.4)
        let resumed = try await resume(
            opened, after: "UPDATE items SET todo = false WHERE id % 100 > 0", "ANALYZE items")
        #expect(try await opening().preview(resumed.job, file: "items.yaml", workers: 1).order.comb == nil)
        #expect(resumed.expectedHotShare > 0.4)
    }
}
