import Batches
import Ledger
import Postgres
import Sharding
import Support
import Testing

@Suite(.database) struct SetBasedTests {
    private let store: TestLedger
    private let connection: PostgresConnection

    init() throws {
        store = try TestDatabase.current.ledger()
        connection = try TestDatabase.current.connect(setup: PostgresSession.batches + PostgresSession.byIndex)
    }

    @Test(arguments: KeyKind.all) func shardsOfEveryShapeChangeTheirRowsExactlyOnce(_ kind: KeyKind) throws {
        guard try available(collationOf: kind.column, connection) else { return }
        let keys = try kind.makeTable(connection, rows: 40)
        let target = try Target.setting(connection, ["n": "n + 1"])
        let batches = TestBatches(connection, target)
        // The three shards have an open lower end, no open end, and an open upper end. A later run has one shard open
        // at both ends.
        let ownership = try store.ownedRun(cutAt: [keys[9], keys[29]])
        for (id, expected) in [(Int32(1), 10..<30), (2, 30..<40), (0, 0..<10)] {
            var shard = try LeasedShard(store, shard: id, of: ownership)
            let before = try connection.counts()
            let outcomes = try batches.applyAll(&shard, rows: 7)
            check(outcomes, keys: keys, range: expected, batch: 7)
            let after = try connection.counts()
            for index in keys.indices {
                #expect(after[index] == (expected.contains(index) ? "1" : before[index]), "key \(keys[index])")
            }
        }
        _ = try store.coordinator.conclude(ownership)
        #expect(try store.reader.run(ownership.run).state == .complete)
        #expect(try store.reader.run(ownership.run).rowsDone == 40)

        var whole = try LeasedShard(store, of: try store.ownedRun("whole"))
        check(try batches.applyAll(&whole, rows: 7), keys: keys, range: 0..<40, batch: 7)
        #expect(Set(try connection.counts()) == ["2"])
    }

    /// Checks checkpoint, sequence, rows and end of each batch.
    private func check(_ outcomes: [BatchOutcome], keys: [String], range: Range<Int>, batch: Int) {
        #expect(outcomes.count == range.count / batch + 1)
        for (index, outcome) in outcomes.enumerated() {
            let done = min((index + 1) * batch, range.count)
            let expected = BatchOutcome(
                cursor: Cursor(Key(keys[range.lowerBound + done - 1])), sequence: Int64(index + 1),
                rowsDone: Int64(done),
                done: index == outcomes.count - 1)
            #expect(outcome == expected)
        }
    }

    private func makeItems(_ rows: Int) throws {
        try connection.execute("CREATE TABLE items (id bigint PRIMARY KEY, n int NOT NULL DEFAULT 0, note text)")
        try connection.execute("INSERT INTO items SELECT i, 0, 'note ' || i FROM generate_series(1, \(rows)) AS i")
    }

    @Test func batchMovesTheShardsRowInTheLedger() throws {
        try makeItems(10)
        let batches = TestBatches(connection, try .setting(connection, ["n": "1"]))
        var shard = try LeasedShard(store, of: try store.ownedRun())
        try store.connection.execute("UPDATE coord.shard SET failures = 2, error = 'old'")
        let outcome = try #require(try batches.apply(shard, rows: 4))
        shard.cursor = outcome.cursor
        shard.sequence = outcome.sequence
        let detail = try store.reader.shards(of: shard.run)[0]
        #expect(detail.cursor.checkpoint == Key("4"))
        #expect(detail.record.sequence == 1 && detail.record.rowsDone == 4)
        #expect(detail.record.failures == 0 && detail.record.error == nil)
        #expect(detail.record.state == .running)
        _ = try batches.applyAll(&shard, rows: 4)
        #expect(try store.reader.shard(ShardID(0), of: shard.run)?.state == .done)
        #expect(try store.attempts(of: shard.run) == ["0 1 done true"])
        #expect(try store.events(of: shard.run).suffix(2) == ["shard_done 0", "lease_done 0"])
    }

    /// Makes rows 1 to 12 with notes of 100 bytes, except rows 5 and 6 with 2,000 bytes and row 12 with 9,000.
    private func makeUneven() throws {
        try connection.execute("CREATE TABLE items (id bigint PRIMARY KEY, n int NOT NULL DEFAULT 0, note text)")
        try connection.execute("ALTER TABLE items ALTER COLUMN note SET STORAGE EXTERNAL")
        try connection.execute(
            """
            INSERT INTO items SELECT i, 0, repeat('x', CASE WHEN i IN (5, 6) THEN 2000 WHEN i = 12 THEN 9000 ELSE 100 END)
            FROM generate_series(1, 12) AS i
            """)
    }

    @Test(
        arguments: [
            // Four short rows; each wide row alone; short rows; the row that is wider than the limit.
            (10, 1000, nil, ["4", "5", "6", "11", "12"]),
            // The limit in rows ends the batches.
            (3, 100_000, nil, ["3", "6", "9", "12", "12"]),
            // No limit ends a batch.
            (100, 100_000, nil, ["12"]),
            // Rows outside the predicate count no bytes.
            (10, 1000, "id NOT IN (5, 6)", ["10", "11", "12"]),
        ] as [(Int, Int, String?, [String])])
    func batchEndsBeforeTheRowThatWouldExceedItsBytes(rows: Int, bytes: Int, predicate: String?, ends: [String]) throws
    {
        try makeUneven()
        let target = try Target.setting(
            connection, ["n": "n + 1"], where: predicate, width: "pg_column_size(items.note)")
        let ownership = try store.ownedRun(cutAt: ["12"])
        var shard = try LeasedShard(store, of: ownership)
        let outcomes = try TestBatches(connection, target).applyAll(&shard, rows: rows, bytes: bytes)
        #expect(outcomes.compactMap { $0.cursor.checkpoint?.components[0] } == ends)
        let wanted = predicate == nil ? "count(*) = 12" : "count(*) FILTER (WHERE n = 1) = 10 AND count(*) = 12"
        #expect(try store.value("SELECT \(wanted) AND max(n) = 1 FROM items") == "t")
    }

    @Test func tableWithoutRowsIsDoneAtOnce() throws {
        try makeItems(0)
        let batches = TestBatches(connection, try .setting(connection, ["n": "1"]))
        let ownership = try store.ownedRun(cutAt: ["10", "20"])
        for id in Int32(0)...2 {
            var shard = try LeasedShard(store, shard: id, of: ownership)
            let outcomes = try batches.applyAll(&shard, rows: 5)
            let through = [Key("10"), Key("20"), nil][Int(id)]
            #expect(outcomes == [BatchOutcome(cursor: Cursor(through), sequence: 1, rowsDone: 0, done: true)])
        }
    }

    @Test func rangesWithoutRowsAreDoneAtOnce() throws {
        try makeItems(10)
        try connection.execute("DELETE FROM items WHERE id NOT BETWEEN 4 AND 6")
        let batches = TestBatches(connection, try .setting(connection, ["n": "n + 1"]))
        let ownership = try store.ownedRun(cutAt: ["3", "6", "8"])
        for id in [Int32(0), 2] {
            var shard = try LeasedShard(store, shard: id, of: ownership)
            let outcomes = try batches.applyAll(&shard, rows: 5)
            #expect(
                outcomes == [BatchOutcome(cursor: Cursor(shard.range.through), sequence: 1, rowsDone: 0, done: true)])
        }
        var last = try LeasedShard(store, shard: 3, of: ownership)
        let outcomes = try batches.applyAll(&last, rows: 5)
        #expect(outcomes.map(\.done) == [true])
        #expect(outcomes[0].cursor.checkpoint == nil || outcomes[0].cursor.checkpoint == Key("8"))
        #expect(try connection.counts() == ["0", "0", "0"])
    }

    @Test func batchOfOneRowWalksOn() throws {
        try makeItems(3)
        let batches = TestBatches(connection, try .setting(connection, ["n": "n + 1"]))
        var shard = try LeasedShard(store, of: try store.ownedRun())
        let outcomes = try batches.applyAll(&shard, rows: 1)
        #expect(outcomes.map(\.rowsDone) == [1, 2, 3, 3])
        #expect(try connection.counts() == ["1", "1", "1"])
    }

    @Test func onlyRowsThatMeetTheConditionChange() throws {
        try makeItems(20)
        let batches = TestBatches(
            connection, try .setting(connection, ["n": "n + 1"], where: "id % 2 = 0 OR id = 3 -- odd one out"))
        var shard = try LeasedShard(store, of: try store.ownedRun())
        let outcomes = try batches.applyAll(&shard, rows: 6)
        // A batch has six keys, including those outside the condition.
        #expect(outcomes.map(\.cursor.checkpoint) == ["6", "12", "18", "20"].map { Key($0) })
        #expect(outcomes.last?.rowsDone == 11)
        #expect(try connection.counts() == (1...20).map { $0 % 2 == 0 || $0 == 3 ? "1" : "0" })
    }

    @Test func conditionThatTheUpdateMakesFalseDoesNotHoldTheWalkUp() throws {
        try makeItems(9)
        let batches = TestBatches(connection, try .setting(connection, ["note": "NULL"], where: "note IS NOT NULL"))
        var shard = try LeasedShard(store, of: try store.ownedRun())
        #expect(try batches.applyAll(&shard, rows: 2).last?.rowsDone == 9)
    }

    @Test func expressionsMayHoldSubqueriesCommentsAndSeveralLines() throws {
        try makeItems(5)
        try connection.execute("CREATE TABLE prices (id int PRIMARY KEY, price int)")
        try connection.execute("INSERT INTO prices SELECT i, i * 10 FROM generate_series(1, 4) AS i")
        let batches = TestBatches(
            connection,
            try .setting(
                connection,
                [
                    "n": "COALESCE((SELECT price FROM prices WHERE prices.id = items.id), -1) -- none",
                    "note": "CASE WHEN id > 2 /* half */\n  THEN upper(note) --)\n  ELSE '--' END",
                ], where: "EXISTS (SELECT FROM prices) -- any"))
        var shard = try LeasedShard(store, of: try store.ownedRun())
        _ = try batches.applyAll(&shard, rows: 2)
        #expect(try connection.counts() == ["10", "20", "30", "40", "-1"])
        #expect(try connection.counts("note") == ["--", "--", "NOTE 3", "NOTE 4", "NOTE 5"])
    }

    @Test func batchThatFailsChangesNothing() throws {
        try makeItems(10)
        let batches = TestBatches(connection, try .setting(connection, ["n": "10 / (5 - id)"]))
        var shard = try LeasedShard(store, of: try store.ownedRun())
        let first = try #require(try batches.apply(shard, rows: 4))
        shard.cursor = first.cursor
        shard.sequence = first.sequence
        let before = try store.reader.shards(of: shard.run)
        #expect(try postgresError { _ = try batches.apply(shard, rows: 4) }.sqlState == "22012")
        #expect(try store.reader.shards(of: shard.run) == before)
        #expect(try connection.counts().suffix(6) == ["0", "0", "0", "0", "0", "0"])
        #expect(try connection.execute("SELECT 1").int(0, 0) == 1)
    }

    @Test func changeThatAnotherCommitsFirstIsTheOneThatTheExpressionSees() async throws {
        try makeItems(5)
        let target = try Target.setting(connection, ["n": "n + 1"])
        let shard = try LeasedShard(store, of: try store.ownedRun())
        let worker = TestSession(
            TestDatabase.current.settings(
                setup: PostgresSession.batches + PostgresSession.byIndex + PostgresSession.unhurried))
        let pid = try await worker.pid()
        try store.connection.execute("BEGIN")
        try store.connection.execute("UPDATE items SET n = 100 WHERE id = 3")
        async let outcome = worker.with { try TestBatches($0, target).apply(shard, rows: 10) }
        try await connection.awaitBlocked(pid)
        try store.connection.execute("COMMIT")
        #expect(try await outcome?.rowsDone == 5)
        #expect(try connection.counts() == ["1", "1", "101", "1", "1"])
    }
}
