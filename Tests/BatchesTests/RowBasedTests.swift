import Batches
import Ledger
import Postgres
import Sharding
import Support
import Testing

@Suite(.database) struct RowBasedTests {
    private let store: TestLedger
    private let connection: PostgresConnection

    init() throws {
        store = try TestDatabase.current.ledger()
        connection = try TestDatabase.current.connect(
            setup: PostgresSession.batches + PostgresSession.byIndex)
    }

    /// Reads, adds one to each `n` and writes, until the shard is done.
    /// - Returns: the keys of the rows that were read.
    private func walk(_ shard: inout LeasedShard, _ batches: TestBatches, limit: Int) throws -> [Key] {
        var seen: [Key] = []
        for _ in 0..<100 {
            let rows = try batches.read(shard, limit: limit)
            seen += rows.keys
            let values = rows.values.map { row in row[0].flatMap { Int($0) }.map { String($0 + 1) } }
            let exhausted = rows.keys.count < limit
            let outcome = try #require(
                try batches.write(shard, rows, values: [values], through: rows.keys.last, exhausted: exhausted))
            #expect(outcome.cursor.checkpoint == rows.keys.last ?? shard.cursor.checkpoint)
            #expect(outcome.sequence == shard.sequence + 1)
            #expect(outcome.rowsDone == Int64(seen.count))
            #expect(outcome.changed == Int64(rows.keys.count))
            #expect(outcome.deferred.isEmpty)
            #expect(outcome.done == exhausted)
            shard.cursor = outcome.cursor
            shard.sequence = outcome.sequence
            if outcome.done { return seen }
        }
        Issue.record("not done after 100 batches")
        return seen
    }

    @Test(arguments: KeyKind.all) func shardsOfEveryShapeAreReadAndWrittenExactlyOnce(_ kind: KeyKind) throws {
        guard try available(collationOf: kind.column, connection) else { return }
        let keys = try kind.makeTable(connection, rows: 40).map { Key($0) }
        let batches = TestBatches(connection, try .computing(connection, read: ["n"], writes: ["n"]))
        let ownership = try store.ownedRun(cutAt: [keys[9].text, keys[29].text])
        for (id, expected) in [(Int32(1), 10..<30), (2, 30..<40), (0, 0..<10)] {
            var shard = try LeasedShard(store, shard: id, of: ownership)
            let before = try connection.counts()
            #expect(try walk(&shard, batches, limit: 7) == Array(keys[expected]))
            let after = try connection.counts()
            for index in keys.indices {
                #expect(after[index] == (expected.contains(index) ? "1" : before[index]), "key \(keys[index])")
            }
        }
        _ = try store.coordinator.conclude(ownership)
        #expect(try store.reader.run(ownership.run).state == .complete)

        var whole = try LeasedShard(store, of: try store.ownedRun("whole"))
        #expect(try walk(&whole, batches, limit: 7) == keys)
        #expect(Set(try connection.counts()) == ["2"])
    }

    @Test(arguments: KeyKind.all) func deferredRowsOfEveryKeyTypeAreReadAgainAndRemoved(_ kind: KeyKind) throws {
        guard try available(collationOf: kind.column, connection) else { return }
        let keys = try kind.makeTable(connection, rows: 6).map { Key($0) }
        let batches = TestBatches(connection, try .computing(connection, read: ["n"], writes: ["n"]))
        var shard = try LeasedShard(store, of: try store.ownedRun())
        let rows = try batches.read(shard, limit: 10)
        try connection.execute("UPDATE items SET n = 10 WHERE id IN (SELECT id FROM items ORDER BY id LIMIT 3)")
        let first = try #require(
            try batches.write(
                shard, rows, values: [rows.keys.map { _ in "1" }], through: keys.last, exhausted: true))
        #expect(Set(first.deferred) == Set(keys.prefix(3)))
        #expect(first.changed == 3 && !first.done)
        shard.sequence = first.sequence
        shard.cursor = first.cursor

        let opening = try #require(
            try store.worker.open(shard.lease, owner: shard.worker, run: shard.run, keyColumns: 1))
        #expect(opening.position.deferred == first.deferred)
        let again = try batches.readDeferred(first.deferred, locking: false)
        #expect(again.keys == Array(keys.prefix(3)))
        #expect(again.values == [["10"], ["10"], ["10"]])
        let second = try #require(
            try batches.write(
                shard, again, values: [["11", "11", "11"]], through: nil, exhausted: true, deferredRead: first.deferred)
        )
        #expect(second.deferred.isEmpty && second.done)
        #expect(second.cursor.checkpoint == keys[5])
        #expect(second.rowsDone == 6)
        #expect(try connection.counts() == ["11", "11", "11", "1", "1", "1"])
    }

    @Test func rowsAreReadWithWhatTheJobNames() throws {
        try connection.execute("CREATE TABLE items (id int PRIMARY KEY, a text, b jsonb, c numeric(6,2))")
        try connection.execute(
            "INSERT INTO items VALUES (1, 'x', '{\"k\": 1}', 1.5), (2, NULL, NULL, NULL), (3, '', '1', -2)")
        let batches = TestBatches(connection, try .computing(connection, read: ["c", "a", "b"], writes: ["a"]))
        let shard = try LeasedShard(store, of: try store.ownedRun())
        let rows = try batches.read(shard, limit: 10)
        #expect(rows.keys == ["1", "2", "3"])
        #expect(rows.values == [["1.50", "x", "{\"k\": 1}"], [nil, nil, nil], ["-2.00", "", "1"]])
        #expect(Set(rows.xmins).count == 1 && Set(rows.ctids).count == 3)
        let nothing = TestBatches(connection, try .computing(connection, read: [], writes: ["a"]))
        try connection.execute("DEALLOCATE ALL")
        let other = TestBatches(
            try TestDatabase.current.connect(setup: PostgresSession.batches + PostgresSession.byIndex),
            nothing.statements.target)
        #expect(try other.read(shard, limit: 10).values == [[], [], []])
    }

    /// The type of a column, a value to write, and the text that is read back.
    static let written: [(type: String, value: String?, read: String?)] = [
        ("smallint", "-7", "-7"), ("integer", "8", "8"), ("bigint", "9000000000", "9000000000"),
        ("boolean", "t", "true"),
        ("uuid", "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000a"),
        ("text", "ä\n\"", "ä\n\""),
        ("text", "", ""), ("text", nil, nil), ("integer", nil, nil), ("uuid", nil, nil),
        ("varchar(5)", "abcde", "abcde"), ("char(3)", "ab", "ab"), ("numeric(6,2)", "1.239", "1.24"),
        ("jsonb", "{\"a\":1}", "{\"a\": 1}"), ("timestamptz(0)", "2026-01-02 03:04:05.6+00", "2026-01-02 03:04:06+00"),
        ("date", "2026-01-02", "2026-01-02"), ("bytea", "\\x00ff", "\\x00ff"), ("int[]", "{1,NULL}", "{1,NULL}"),
        ("double precision", "0.1", "0.1"), ("inet", "10.0.0.1", "10.0.0.1/32"), ("bit(3)", "101", "101"),
        ("varbit(4)", "1010", "1010"), ("interval", "1 day", "1 day"), ("name", "n", "n"),
    ]

    @Test(arguments: written.indices) func valuesOfEveryTypeAreWritten(_ index: Int) throws {
        let (type, value, read) = Self.written[index]
        try connection.execute("SET TimeZone = 'UTC'")
        try connection.execute("CREATE TABLE items (id int PRIMARY KEY, v \(type))")
        try connection.execute("INSERT INTO items VALUES (1)")
        let batches = TestBatches(connection, try .computing(connection, read: [], writes: ["v"]))
        let shard = try LeasedShard(store, of: try store.ownedRun())
        let rows = try batches.read(shard, limit: 1)
        #expect(try batches.write(shard, rows, values: [[value]], through: "1")?.changed == 1)
        #expect(try connection.execute("SELECT v::text FROM items").text(0, 0) == read)
    }

    /// Types with a length limit, a value beyond it, and the SQLSTATE of an UPDATE with that literal.
    @Test(arguments: [
        ("varchar(5)", "abcdef", "22001"), ("char(3)", "abcd", "22001"), ("bit(3)", "1010", "22026"),
        ("varbit(3)", "1010", "22001"),
    ])
    func valueThatIsTooLongForItsColumnIsRefusedAndNotCut(_ type: String, _ value: String, _ sqlState: String) throws {
        try connection.execute("CREATE TABLE items (id int PRIMARY KEY, v \(type))")
        try connection.execute("INSERT INTO items VALUES (1)")
        #expect(try postgresError { try connection.execute("UPDATE items SET v = '\(value)'") }.sqlState == sqlState)
        let batches = TestBatches(connection, try .computing(connection, read: [], writes: ["v"]))
        let shard = try LeasedShard(store, of: try store.ownedRun())
        let rows = try batches.read(shard, limit: 1)
        let error = try postgresError { _ = try batches.write(shard, rows, values: [[value]], through: "1") }
        #expect(error.sqlState == sqlState)
    }

    @Test func valueThatItsColumnCannotTakeRollsTheBatchBack() throws {
        _ = try KeyKind.all[1].makeTable(connection, rows: 3)
        try connection.execute("ALTER TABLE items ADD d date")
        let batches = TestBatches(connection, try .computing(connection, read: ["n"], writes: ["n", "d"]))
        let shard = try LeasedShard(store, of: try store.ownedRun())
        let rows = try batches.read(shard, limit: 3)
        let before = try store.reader.shards(of: shard.run)
        let error = try postgresError {
            let values: [[String?]] = [["1", "1", "1"], ["2026-01-01", "never", nil]]
            _ = try batches.write(shard, rows, values: values, through: rows.keys.last)
        }
        #expect(error.sqlState == "22007")
        #expect(try store.reader.shards(of: shard.run) == before)
        #expect(try connection.counts() == ["0", "0", "0"])
    }

    @Test func batchWithoutRowsMovesTheCheckpoint() throws {
        _ = try KeyKind.all[1].makeTable(connection, rows: 3)
        let batches = TestBatches(connection, try .computing(connection, read: ["n"], writes: ["n"]))
        var shard = try LeasedShard(store, of: try store.ownedRun(cutAt: ["-3000000"]))
        let rows = try batches.read(shard, limit: 3)
        #expect(rows.keys.isEmpty)
        let through = try #require(try batches.write(shard, rows, values: [[]], through: "-4000000"))
        #expect(
            through == BatchOutcome(cursor: Cursor(Key("-4000000")), sequence: 1, rowsDone: 0, done: false, changed: 0))
        (shard.sequence, shard.cursor) = (1, through.cursor)
        let end = try #require(try batches.write(shard, rows, values: [[]], through: nil, exhausted: true))
        #expect(end == BatchOutcome(cursor: Cursor(Key("-4000000")), sequence: 2, rowsDone: 0, done: true, changed: 0))
        #expect(try store.attempts(of: shard.run) == ["0 1 done true"])
    }

    // MARK: - Reading under a condition

    private func makeSparse() throws -> TestBatches {
        try connection.execute("CREATE TABLE items (id int PRIMARY KEY, n int NOT NULL DEFAULT 0)")
        try connection.execute("INSERT INTO items SELECT i, i FROM generate_series(1, 1000) AS i")
        return TestBatches(
            connection, try .computing(connection, read: ["n"], writes: ["n"], where: "n % 250 = 0 -- four of them"))
    }

    @Test func readWithoutAMatchSaysWhereTheLookEnded() throws {
        let batches = try makeSparse()
        var shard = try LeasedShard(store, of: try store.ownedRun(cutAt: ["900"]))
        #expect(try batches.read(shard, limit: 5, window: 100) == ReadRows(windowEnd: "100"))
        shard.cursor = Cursor("200")
        let found = try batches.read(shard, limit: 5, window: 100)
        #expect(found.windowEnd == "300" && found.keys == ["250"])
        shard.cursor = Cursor("850")
        #expect(try batches.read(shard, limit: 5, window: 100) == ReadRows())
        shard.cursor = Cursor("400")
        let last = try batches.read(shard, limit: 5, window: 501)
        #expect(last.windowEnd == nil && last.keys == ["500", "750"])
        let limited = try batches.read(shard, limit: 1, window: 400)
        #expect(limited.windowEnd == "800" && limited.keys == ["500"])
    }

    @Test func readWithAConditionWalksEveryShape() throws {
        let batches = try makeSparse()
        let ownership = try store.ownedRun(cutAt: ["300", "700"])
        var found: [Key] = []
        for id in Int32(0)...2 {
            var shard = try LeasedShard(store, shard: id, of: ownership)
            for _ in 0..<20 {
                let rows = try batches.read(shard, limit: 5, window: 100)
                found += rows.keys
                guard let end = rows.windowEnd else { break }
                shard.cursor = Cursor(end)
            }
        }
        #expect(found == ["250", "500", "750", "1000"])
    }

    @Test func readWithAConditionLooksAtNoMoreKeysThanItMay() throws {
        let batches = try makeSparse()
        let shard = try LeasedShard(store, of: try store.ownedRun(cutAt: ["1000"]))
        try connection.execute("DELETE FROM items WHERE id = 250")
        let request = try RangeRead(batches.statements).range(
            shard.range, behind: .start, limit: 5, window: 10, connection)
        let arguments = request.parameters.literals.joined(separator: ", ")
        let plan = try connection.execute("EXPLAIN (ANALYZE, TIMING off) EXECUTE \(request.name) (\(arguments))")
        let lines = (0..<plan.rows).compactMap { plan.text($0, 0) }
        let removed = lines.compactMap { line in
            line.contains("Rows Removed by Filter: ") ? Int(line.filter(\.isNumber)) : nil
        }
        #expect(removed.reduce(0, +) <= 10, "\(lines.joined(separator: "\n"))")
    }

    @Test func deferredRowThatMeetsTheConditionNoLongerIsRemoved() throws {
        let batches = try makeSparse()
        var shard = try LeasedShard(store, of: try store.ownedRun(cutAt: ["300"]))
        let rows = try batches.read(shard, limit: 5, window: 1000)
        try connection.execute("UPDATE items SET n = 1 WHERE id = 250")
        let first = try #require(
            try batches.write(shard, rows, values: [["0"]], through: "300", exhausted: true))
        #expect(first.deferred == [Key("250")] && !first.done)
        shard.sequence = first.sequence
        let again = try batches.readDeferred(first.deferred, locking: true)
        #expect(again == ReadRows())
        let second = try #require(
            try batches.write(shard, again, values: [[]], through: nil, exhausted: true, deferredRead: first.deferred))
        #expect(second.done && second.deferred.isEmpty && second.rowsDone == 0)
        #expect(try connection.execute("SELECT n FROM items WHERE id = 250").int(0, 0) == 1)
    }
}
