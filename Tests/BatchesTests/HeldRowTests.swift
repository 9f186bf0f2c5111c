import Batches
import Ledger
import Postgres
import Sharding
import Support
import Testing

/// A batch steps around a row that somebody holds, and comes back to it.
@Suite(.database) struct HeldRowTests {
    private let store: TestLedger
    private let connection: PostgresConnection
    private let holder: PostgresConnection
    private let ownership: Ownership

    init() throws {
        store = try TestDatabase.current.ledger()
        connection = try TestDatabase.current.connect(
            setup: PostgresSession.batches + PostgresSession.byIndex + ["SET lock_timeout = '20ms'"])
        holder = try TestDatabase.current.connect()
        try connection.execute("CREATE TABLE items (id bigint PRIMARY KEY, n int NOT NULL DEFAULT 0)")
        try connection.execute("INSERT INTO items SELECT generate_series(1, 10)")
        ownership = try store.ownedRun(cutAt: ["10"])
    }

    private func hold(_ condition: String) throws {
        try holder.execute("BEGIN")
        try holder.execute("SELECT FROM items WHERE \(condition) FOR UPDATE")
    }

    @Test(arguments: [nil, "id <> 7"]) func setBatchLeavesHeldRowsOutAndDefersThem(predicate: String?) throws {
        let set = SetBatch(BatchStatements(target: try .setting(connection, ["n": "n + 1"], where: predicate)))
        var shard = try LeasedShard(store, of: ownership)
        try hold("id IN (3, 6)")
        func run(aroundHeld: Bool) throws -> BatchOutcome? {
            try set.run(shard.fence, shard.range, behind: .start, rows: 100, aroundHeld: aroundHeld, connection)
        }
        let error = #expect(throws: PostgresError.self) { try run(aroundHeld: false) }
        #expect(error?.sqlState == "55P03")
        let first = try run(aroundHeld: true)
        #expect(
            first?.cursor.checkpoint == Key("10") && first?.done == false && first?.deferred == [Key("3"), Key("6")])
        #expect(first?.isLast == true)
        let left = predicate == nil ? 0 : 1
        #expect(try connection.execute("SELECT count(*) FROM items WHERE n = 1").int(0, 0) == Int64(8 - left))
        shard.sequence = 1
        // One row is free now, the other is still held.
        try holder.execute("ROLLBACK")
        try hold("id = 6")
        let second = try set.runDeferred([Key("3"), Key("6")], shard.fence, exhausted: true, connection)
        #expect(second?.done == false && second?.deferred == [Key("6")])
        shard.sequence = 2
        try holder.execute("ROLLBACK")
        let third = try set.runDeferred([Key("6")], shard.fence, exhausted: true, connection)
        #expect(third?.done == true && third?.deferred == [])
        #expect(try connection.execute("SELECT count(*) FROM items WHERE n = 1").int(0, 0) == Int64(10 - left))
        #expect(try connection.execute("SELECT max(n) FROM items").int(0, 0) == 1)
        #expect(third?.rowsDone == Int64(10 - left))
    }

    @Test func deferredRowThatIsGoneOrDoesNotMeetTheConditionAnyMoreIsDropped() throws {
        let statements = BatchStatements(target: try .setting(connection, ["n": "n + 1"], where: "n = 0"))
        let shard = try LeasedShard(store, of: ownership)
        try store.connection.execute("UPDATE coord.shard SET deferred = '{2,3,4}' WHERE id = 0")
        try connection.execute("DELETE FROM items WHERE id = 2")
        try connection.execute("UPDATE items SET n = 5 WHERE id = 3")
        let outcome = try SetBatch(statements).runDeferred(
            [Key("2"), Key("3"), Key("4")], shard.fence, exhausted: false, connection)
        #expect(outcome?.deferred == [] && outcome?.rowsDone == 1 && outcome?.done == false)
        #expect(try connection.counts() == ["0", "5", "1", "0", "0", "0", "0", "0", "0"])
    }

    @Test func fenceRefusesDeferredRowsToo() throws {
        let statements = BatchStatements(target: try .setting(connection, ["n": "n + 1"]))
        var shard = try LeasedShard(store, of: ownership)
        shard.sequence = 7
        let set = SetBatch(statements)
        #expect(try set.runDeferred([Key("2")], shard.fence, exhausted: false, connection) == nil)
        #expect(try connection.execute("SELECT max(n) FROM items").int(0, 0) == 0)
    }

    @Test func computedBatchLeavesHeldRowsOutAndTellsWhichItTried() throws {
        let target = try Target.computing(connection, read: ["n"], writes: ["n"])
        let batches = TestBatches(connection, target)
        let shard = try LeasedShard(store, of: ownership)
        let rows = try batches.read(shard, limit: 5)
        try hold("id = 4")
        // A committed change defers a row too, but holds no lock.
        try store.connection.execute("UPDATE items SET n = 7 WHERE id = 2")
        let outcome = try batches.write(
            shard, rows, values: [["1", "1", "1", "1", "1"]], through: "5", aroundHeld: true)
        #expect(outcome?.deferred.sorted { $0.components[0] < $1.components[0] } == [Key("2"), Key("4")])
        let tried = try #require(outcome?.attempted)
        #expect(!tried.contains(Key("4")) && tried.contains(Key("3")))
        try holder.execute("ROLLBACK")
        #expect(try connection.counts() == ["1", "7", "1", "0", "1", "0", "0", "0", "0", "0"])
    }

    @Test func holderOfARowIsNamed() throws {
        let statements = BatchStatements(target: try .setting(connection, ["n": "1"]))
        try holder.execute("SET application_name = 'app'")
        try hold("id = 3")
        var held = HeldRows()
        held.insert([Key("3"), Key("4")])
        func look() throws -> WorkerWait? { try held.look(statements, waiting: true, now: .zero, connection) }
        // Row 4 is free: the first look finds work, and names no holder.
        #expect(try look() == nil)
        #expect(held.free(of: [Key("3"), Key("4")]) == [Key("4")])
        let wait = try #require(try look())
        #expect(wait.cause == FailureCause(key: Key("3"), holder: holder.backendPID))
        let told = wait.words
        #expect(told.hasPrefix("waits for pid \(holder.backendPID) ("), "\(told)")
        #expect(told.contains(", app, idle in transaction, ") && told.hasSuffix(" s) at id 3"), "\(told)")
        try holder.execute("ROLLBACK")
        #expect(try look() == nil && held.isEmpty)
    }
}
