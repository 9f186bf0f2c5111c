import Batches
import Ledger
import Postgres
import Sharding
import Support
import Testing

/// I6: what somebody else commits between a batch's read and its write is never overwritten.
@Suite(.database) struct CompareTests {
    private let store: TestLedger
    private let connection: PostgresConnection
    private let target: Target
    private let batches: TestBatches
    private let shard: LeasedShard
    private var user: PostgresConnection { store.connection }

    init() throws {
        store = try TestDatabase.current.ledger()
        connection = try TestDatabase.current.connect(
            setup: PostgresSession.batches + PostgresSession.byIndex)
        try connection.execute("CREATE TABLE items (id int PRIMARY KEY, n int NOT NULL DEFAULT 0)")
        try connection.execute("INSERT INTO items SELECT generate_series(1, 5)")
        target = try .computing(connection, read: ["n"], writes: ["n"])
        batches = TestBatches(connection, target)
        shard = try LeasedShard(store, of: try store.ownedRun())
    }

    /// The same table with or without triggers: with triggers, the write does not join its arrays by hash.
    private func target(byHash: Bool) throws -> Target {
        var target = target
        target.hasUpdateTriggers = !byHash
        return target
    }

    private func setup(byHash: Bool) -> [String] {
        PostgresSession.batches + PostgresSession.byIndex
    }

    private func write(
        _ rows: ReadRows, _ shard: LeasedShard? = nil, by batches: TestBatches? = nil, deferred: [Key] = []
    ) throws -> BatchOutcome {
        let values = rows.values.map { row in row[0].flatMap { Int($0) }.map { String($0 + 1) } }
        return try #require(
            try (batches ?? self.batches).write(
                shard ?? self.shard, rows, values: [values], through: deferred.isEmpty ? "5" : nil, exhausted: true,
                deferredRead: deferred))
    }

    /// What a user may do to row 3 between the batch's read and its write.
    static let changes: [(String, [String])] = [
        ("UPDATE items SET n = 100 WHERE id = 3", ["1", "1", "100", "1", "1"]),
        ("UPDATE items SET n = n WHERE id = 3", ["1", "1", "0", "1", "1"]),
        ("DELETE FROM items WHERE id = 3", ["1", "1", "1", "1"]),
        ("WITH d AS (DELETE FROM items WHERE id = 3) UPDATE items SET n = 7 WHERE id = 4", ["1", "1", "7", "1"]),
        ("UPDATE items SET id = 9 WHERE id = 3", ["1", "1", "1", "1", "0"]),
    ]

    @Test(arguments: changes.indices, [true, false])
    func rowThatChangedAfterTheReadIsLeftAloneAndDeferred(_ index: Int, byHash: Bool) throws {
        let (change, expected) = Self.changes[index]
        let connection = try TestDatabase.current.connect(setup: setup(byHash: byHash))
        let batches = TestBatches(connection, try target(byHash: byHash))
        let rows = try batches.read(shard, limit: 10)
        try user.execute(change)
        let outcome = try write(rows, by: batches)
        #expect(outcome.deferred.contains(Key("3")))
        #expect(!outcome.done)
        #expect(outcome.rowsDone == outcome.changed)
        #expect(outcome.changed == 5 - Int64(outcome.deferred.count))
        #expect(try connection.counts() == expected)
    }

    @Test func rowThatWasDeletedAndMadeAnewIsDeferred() throws {
        let rows = try batches.read(shard, limit: 10)
        try user.execute("DELETE FROM items WHERE id = 3")
        try user.execute("VACUUM items")
        try user.execute("INSERT INTO items VALUES (3, 50)")
        #expect(try write(rows).deferred == [Key("3")])
        #expect(try connection.counts() == ["1", "1", "50", "1", "1"])
    }

    @Test func rowsThatMovedWithoutAChangeAreNotOverwrittenAndNotLost() throws {
        let rows = try batches.read(shard, limit: 10)
        try user.execute("DELETE FROM items WHERE id = 1")
        try user.execute("VACUUM FULL items")
        var first = try write(rows)
        var shard = shard
        shard.sequence = first.sequence
        if !first.deferred.isEmpty {
            first = try write(try batches.readDeferred(first.deferred, locking: false), shard, deferred: first.deferred)
        }
        #expect(first.done && first.rowsDone == 4)
        #expect(try connection.counts() == ["1", "1", "1", "1"])
    }

    @Test func rowThatWasOnlyLockedIsWritten() throws {
        let rows = try batches.read(shard, limit: 10)
        try user.execute("SELECT FROM items WHERE id = 3 FOR UPDATE")
        try user.execute("BEGIN")
        try user.execute("UPDATE items SET n = 9 WHERE id = 4")
        try user.execute("ROLLBACK")
        let outcome = try write(rows)
        #expect(outcome.deferred.isEmpty && outcome.done)
    }

    @Test func deferredRowsAreReadAgainAndTheShardIsDoneWithTheLast() throws {
        let rows = try batches.read(shard, limit: 10)
        try user.execute("UPDATE items SET n = 100 WHERE id IN (2, 4)")
        let first = try write(rows)
        #expect(Set(first.deferred) == [Key("2"), Key("4")] && first.rowsDone == 3 && !first.done)
        var shard = shard
        (shard.sequence, shard.cursor) = (first.sequence, first.cursor)

        // One of the deferred rows changes once more.
        let again = try batches.readDeferred(first.deferred, locking: false)
        #expect(again.keys == ["2", "4"])
        try user.execute("UPDATE items SET n = 200 WHERE id = 4")
        let second = try write(again, shard, deferred: first.deferred)
        #expect(second.deferred == [Key("4")] && second.rowsDone == 4 && !second.done)
        #expect(second.cursor.checkpoint == Key("5"))
        shard.sequence = second.sequence

        try connection.execute("BEGIN")
        let locked = try batches.readDeferred(second.deferred, locking: true)
        let third = try write(locked, shard, deferred: second.deferred)
        try connection.execute("COMMIT")
        #expect(third.deferred.isEmpty && third.rowsDone == 5 && third.done)
        #expect(try connection.counts() == ["1", "101", "1", "201", "1"])
        #expect(try store.attempts(of: shard.run) == ["0 1 done true"])
    }

    @Test func deferredRowThatWasDeletedIsRemoved() throws {
        let rows = try batches.read(shard, limit: 10)
        try user.execute("DELETE FROM items WHERE id = 3")
        let first = try write(rows)
        #expect(first.deferred == [Key("3")] && !first.done)
        var shard = shard
        shard.sequence = first.sequence
        let again = try batches.readDeferred(first.deferred, locking: true)
        #expect(again == ReadRows())
        let second = try write(again, shard, deferred: first.deferred)
        #expect(second.deferred.isEmpty && second.done && second.rowsDone == 4)
    }

    @Test func deferredKeysThatWereNotReadAgainStay() throws {
        let rows = try batches.read(shard, limit: 10)
        try user.execute("UPDATE items SET n = 100 WHERE id IN (1, 2, 3)")
        let first = try write(rows)
        var shard = shard
        shard.sequence = first.sequence
        let some = Array(first.deferred.prefix(1))
        let second = try write(try batches.readDeferred(some, locking: false), shard, deferred: some)
        #expect(second.deferred == Array(first.deferred.dropFirst()))
        #expect(!second.done)
    }

    @Test func readThatLocksKeepsOthersOutUntilTheCommit() async throws {
        try connection.execute("BEGIN")
        let rows = try batches.readDeferred([Key("2"), Key("77")], locking: true)
        #expect(rows.keys == ["2"])
        let other = TestSession(TestDatabase.current.settings())
        let pid = try await other.pid()
        async let changed = other.with { try $0.execute("UPDATE items SET n = n + 10 WHERE id = 2").affected }
        try await user.awaitBlocked(pid)
        #expect(try write(rows).deferred.isEmpty)
        try connection.execute("COMMIT")
        #expect(try await changed == 1)
        #expect(try connection.counts() == ["0", "11", "0", "0", "0"])
    }

    // MARK: - While the write waits for the row's lock

    private func writeWhile(_ change: String, end: String, byHash: Bool) async throws -> BatchOutcome {
        let worker = TestSession(
            TestDatabase.current.settings(setup: setup(byHash: byHash) + PostgresSession.unhurried))
        let pid = try await worker.pid()
        let (target, shard) = (try target(byHash: byHash), shard)
        let rows = try TestBatches(connection, target).read(shard, limit: 10)
        try user.execute("BEGIN")
        try user.execute(change)
        async let outcome = worker.with { connection in
            let values = rows.keys.map { _ in "1" as String? }
            return try TestBatches(connection, target).write(
                shard, rows, values: [values], through: "5", exhausted: true)
        }
        try await connection.awaitBlocked(pid)
        try user.execute(end)
        let result = try await outcome
        return try #require(result)
    }

    @Test(arguments: [true, false]) func rowThatChangesWhileTheWriteWaitsForItIsLeftAlone(byHash: Bool) async throws {
        let outcome = try await writeWhile("UPDATE items SET n = 100 WHERE id = 3", end: "COMMIT", byHash: byHash)
        #expect(outcome.deferred == [Key("3")])
        #expect(outcome.changed == 4 && !outcome.done)
        #expect(try connection.counts() == ["1", "1", "100", "1", "1"])
    }

    @Test(arguments: [true, false]) func rowThatGoesWhileTheWriteWaitsForItIsDeferred(byHash: Bool) async throws {
        let outcome = try await writeWhile("DELETE FROM items WHERE id = 3", end: "COMMIT", byHash: byHash)
        #expect(outcome.deferred == [Key("3")])
        #expect(outcome.changed == 4 && !outcome.done)
        #expect(try connection.counts() == ["1", "1", "1", "1"])
    }

    @Test(arguments: [true, false]) func rowWhoseKeyMovesWhileTheWriteWaitsForItIsLeftAlone(byHash: Bool) async throws {
        let outcome = try await writeWhile("UPDATE items SET id = 9 WHERE id = 3", end: "COMMIT", byHash: byHash)
        #expect(outcome.deferred == [Key("3")])
        #expect(try connection.counts() == ["1", "1", "1", "1", "0"])
    }

    @Test(arguments: [true, false]) func changeThatIsRolledBackWhileTheWriteWaitsIsNone(byHash: Bool) async throws {
        let outcome = try await writeWhile("UPDATE items SET n = 100 WHERE id = 3", end: "ROLLBACK", byHash: byHash)
        #expect(outcome.deferred.isEmpty && outcome.done)
        #expect(try connection.counts() == ["1", "1", "1", "1", "1"])
    }
}
