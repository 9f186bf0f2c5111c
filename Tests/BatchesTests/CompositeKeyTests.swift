import Batches
import Ledger
import Postgres
import Sharding
import Support
import Testing

/// Keys of several columns. Neighbours differ sometimes in the first column and sometimes in the last.
@Suite(.database) struct CompositeKeyTests {
    struct Kind: Sendable, CustomTestStringConvertible {
        /// The definitions of the key's columns, which are named `a`, `b` and so on.
        var columns: [String]
        /// The values of row `i` from 0, as SQL.
        var values: [String]
        var testDescription: String { columns.joined(separator: ", ") }

        var names: [String] { Array(["a", "b", "c", "d"].prefix(columns.count)) }
        var list: String { names.joined(separator: ", ") }
    }

    /// Texts that an array literal must quote, and texts that it must not quote.
    private static let text = """
        (ARRAY['', 'NULL', 'null', 'a,b', '{', '}', '"', '\\', ' ', 'a b', E'tab\\t', E'line\\n', 'ä', 'Z', '(1,2)'])[i % 15 + 1]
        """

    static let kinds = [
        Kind(columns: ["integer", "text"], values: ["i / 15 - 1", text]),
        Kind(
            columns: ["text COLLATE \"C\"", "bigint"], values: ["'k' || i % 3", "i::bigint * 1000000007 - 9000000000"]),
        Kind(columns: ["varchar(9)", "smallint", "uuid"], values: ["i % 2", "i % 5 - 2", "md5(i::text)::uuid"]),
        Kind(
            columns: ["uuid", "text", "integer", "bigint"],
            values: ["md5((i % 2)::text)::uuid", text, "i % 2", "i"]),
    ]

    private let store: TestLedger
    private let connection: PostgresConnection
    private let holder: PostgresConnection

    init() throws {
        store = try TestDatabase.current.ledger()
        connection = try TestDatabase.current.connect(
            setup: PostgresSession.batches + PostgresSession.byIndex + ["SET lock_timeout = '20ms'"])
        holder = try TestDatabase.current.connect()
    }

    /// Makes the table, and returns its keys in their order.
    private func makeTable(_ kind: Kind, rows: Int = 40) throws -> [Key] {
        let columns = zip(kind.names, kind.columns).map { "\($0) \($1)" }.joined(separator: ", ")
        try connection.execute(
            "CREATE TABLE items (\(columns), n int NOT NULL DEFAULT 0, note text, PRIMARY KEY (\(kind.list)))")
        try connection.execute(
            "INSERT INTO items (\(kind.list)) SELECT \(kind.values.joined(separator: ", ")) FROM generate_series(0, \(rows - 1)) AS i"
        )
        // In ORDER BY, an output column's name wins over a table column's. So the columns are not cast to text here:
        // the order would be that of the texts.
        let result = try connection.execute("SELECT \(kind.list) FROM items ORDER BY \(kind.list)")
        return (0..<result.rows).map { row in Key(kind.names.indices.map { result.text(row, $0) ?? "" }) }
    }

    private func counts(_ kind: Kind) throws -> [Int64] {
        let result = try connection.execute("SELECT n FROM items ORDER BY \(kind.list)")
        return (0..<result.rows).map { result.int($0, 0) ?? -1 }
    }

    private func ownedRun(cutAt keys: [Key]) throws -> Ownership {
        let ends = [nil] + keys.map { Optional($0) } + [nil]
        let parts = zip(ends, ends.dropFirst()).map {
            ShardPlan.Part(range: KeyRange(after: $0, through: $1), rowsEstimated: 10)
        }
        let run = try store.coordinator.createRun(.sample("job"), plan: ShardPlan(parts: parts))
        let ownership = try store.coordinator.takeOver(run, as: .coordinator, host: "host", pid: 7)
        try store.keepAlive(run)
        return ownership
    }

    @Test(arguments: kinds) func setBatchesChangeEachRowOfTheirShardOnce(_ kind: Kind) throws {
        let keys = try makeTable(kind)
        let batches = TestBatches(connection, try .setting(connection, key: kind.names, ["n": "n + 1"]))
        let ownership = try ownedRun(cutAt: [keys[9], keys[29]])
        for (id, expected) in [(Int32(1), 10..<30), (2, 30..<40), (0, 0..<10)] {
            let before = try counts(kind)
            var shard = try LeasedShard(store, shard: id, of: ownership, keyColumns: keys[0].components.count)
            let outcomes = try batches.applyAll(&shard, rows: 7)
            #expect(
                outcomes.map(\.cursor.checkpoint)
                    == stride(from: 7, through: expected.count + 6, by: 7).map {
                        keys[expected.lowerBound + min($0, expected.count) - 1]
                    })
            let after = try counts(kind)
            for index in keys.indices {
                #expect(after[index] == (expected.contains(index) ? 1 : before[index]), "key \(keys[index])")
            }
        }
        _ = try store.coordinator.conclude(ownership)
        #expect(try store.reader.run(ownership.run).state == .complete)
    }

    @Test(arguments: kinds, [nil, "note IS NULL"]) func computedBatchesDoToo(_ kind: Kind, predicate: String?) throws {
        let keys = try makeTable(kind)
        let batches = TestBatches(
            connection, try .computing(connection, key: kind.names, read: ["n"], writes: ["n"], where: predicate))
        let ownership = try ownedRun(cutAt: [keys[19]])
        for (id, expected) in [(Int32(0), 0..<20), (1, 20..<40)] {
            var shard = try LeasedShard(store, shard: id, of: ownership, keyColumns: keys[0].components.count)
            var seen: [Key] = []
            while true {
                let rows = try batches.read(shard, limit: 6)
                seen += rows.keys
                let exhausted = rows.keys.isEmpty && rows.windowEnd == nil
                let outcome = try #require(
                    try batches.write(
                        shard, rows, values: [rows.keys.map { _ in "1" }], through: rows.keys.last ?? rows.windowEnd,
                        exhausted: exhausted))
                shard.cursor = outcome.cursor
                shard.sequence = outcome.sequence
                if outcome.done { break }
            }
            #expect(seen == Array(keys[expected]))
        }
        #expect(Set(try counts(kind)) == [1])
    }

    @Test(arguments: kinds) func changedRowsAreDeferredAndReadAgain(_ kind: Kind) throws {
        let keys = try makeTable(kind, rows: 6)
        let batches = TestBatches(connection, try .computing(connection, key: kind.names, read: ["n"], writes: ["n"]))
        var shard = try LeasedShard(store, of: try ownedRun(cutAt: []), keyColumns: keys[0].components.count)
        let rows = try batches.read(shard, limit: 10)
        try store.connection.execute(
            "UPDATE items SET n = 10 WHERE (\(kind.list)) IN (SELECT \(kind.list) FROM items ORDER BY \(kind.list) LIMIT 3)"
        )
        let first = try #require(
            try batches.write(shard, rows, values: [rows.keys.map { _ in "1" }], through: keys.last, exhausted: true))
        #expect(Set(first.deferred) == Set(keys.prefix(3)))
        #expect(first.changed == 3 && !first.done)
        shard.sequence = first.sequence
        let opening = try #require(
            try store.worker.open(shard.lease, owner: shard.worker, run: shard.run, keyColumns: kind.names.count))
        #expect(opening.position.deferred == first.deferred)
        #expect(opening.position.cursor.checkpoint == keys.last)
        for locking in [false, true] {
            let again = try batches.readDeferred(first.deferred, locking: locking)
            #expect(again.keys == Array(keys.prefix(3)))
        }
        let again = try batches.readDeferred(first.deferred, locking: false)
        let second = try #require(
            try batches.write(
                shard, again, values: [["11", "11", "11"]], through: nil, exhausted: true, deferredRead: first.deferred)
        )
        #expect(second.deferred.isEmpty && second.done && second.rowsDone == 6)
        #expect(try counts(kind) == [11, 11, 11, 1, 1, 1])
    }

    @Test(arguments: kinds) func heldRowsAreLeftOutAndComeLater(_ kind: Kind) throws {
        let keys = try makeTable(kind, rows: 8)
        let target = try Target.setting(connection, key: kind.names, ["n": "n + 1"])
        let set = SetBatch(BatchStatements(target: target))
        var shard = try LeasedShard(store, of: try ownedRun(cutAt: []), keyColumns: keys[0].components.count)
        try holder.execute("BEGIN")
        try holder.execute(
            "SELECT FROM items WHERE (\(kind.list)) IN (SELECT \(kind.list) FROM items ORDER BY \(kind.list) OFFSET 2 LIMIT 2) FOR UPDATE"
        )
        #expect(throws: PostgresError.self) {
            try set.run(shard.fence, shard.range, behind: .start, rows: 100, connection)
        }
        let first = try #require(
            try set.run(shard.fence, shard.range, behind: .start, rows: 100, aroundHeld: true, connection))
        #expect(Set(first.deferred) == Set(keys[2...3]) && !first.done && first.rowsDone == 6)
        var held = HeldRows()
        held.insert(first.deferred)
        let wait = try held.look(set.statements, waiting: true, now: .seconds(1), connection)
        let reason = wait?.words
        #expect(wait?.cause.key == keys[2])
        #expect(reason?.contains("pid \(holder.backendPID) (") == true)
        #expect(reason?.hasSuffix("at (\(kind.list)) \(keys[2])") == true)
        shard.sequence = first.sequence
        let still = try #require(try set.runDeferred(first.deferred, shard.fence, exhausted: true, connection))
        #expect(Set(still.deferred) == Set(first.deferred) && !still.done)
        shard.sequence = still.sequence
        try holder.execute("ROLLBACK")
        #expect(try held.look(set.statements, waiting: true, now: .seconds(2), connection) == nil)
        #expect(held.isEmpty)
        let last = try #require(try set.runDeferred(first.deferred, shard.fence, exhausted: true, connection))
        #expect(last.deferred == [] && last.done)
        #expect(Set(try counts(kind)) == [1])
    }

    @Test(arguments: kinds) func computedBatchGoesAroundHeldRows(_ kind: Kind) throws {
        let keys = try makeTable(kind, rows: 6)
        let batches = TestBatches(connection, try .computing(connection, key: kind.names, read: ["n"], writes: ["n"]))
        let shard = try LeasedShard(store, of: try ownedRun(cutAt: []), keyColumns: keys[0].components.count)
        let rows = try batches.read(shard, limit: 10)
        try holder.execute("BEGIN")
        try holder.execute(
            "SELECT FROM items WHERE (\(kind.list)) IN (SELECT \(kind.list) FROM items ORDER BY \(kind.list) LIMIT 1) FOR UPDATE"
        )
        let outcome = try #require(
            try batches.write(
                shard, rows, values: [rows.keys.map { _ in "1" }], through: keys.last, exhausted: true, aroundHeld: true
            ))
        #expect(outcome.deferred == [keys[0]])
        #expect(Set(outcome.attempted ?? []) == Set(keys.dropFirst()))
        #expect(try counts(kind) == [0, 1, 1, 1, 1, 1])
    }

    @Test func batchesByBytesEndAtTheRightKey() throws {
        let kind = Self.kinds[0]
        let keys = try makeTable(kind, rows: 20)
        try connection.execute("UPDATE items SET note = repeat('x', 100)")
        var target = try Target.setting(connection, key: kind.names, ["n": "n + 1"])
        target.width = "COALESCE(pg_column_size(items.note), 0)"
        let batches = TestBatches(connection, target)
        var shard = try LeasedShard(store, of: try ownedRun(cutAt: []), keyColumns: 2)
        let outcomes = try batches.applyAll(&shard, rows: 100, bytes: 520)
        #expect(outcomes.map(\.cursor.checkpoint) == [keys[4], keys[9], keys[14], keys[19]])
        #expect(Set(try counts(kind)) == [1])
    }

    @Test(arguments: kinds) func planCutsAtKeysInTheirOrder(_ kind: Kind) throws {
        let keys = try makeTable(kind)
        let statements = BatchStatements(target: try .setting(connection, key: kind.names, ["n": "n + 1"]))
        #expect(try statements.firstKey(above: nil, connection) == keys[0])
        #expect(try statements.firstKey(above: keys[6], connection) == keys[7])
        let range = KeyRange(after: keys[3], through: keys[9])
        #expect(try statements.isInRange(Cursor(keys[4]), range, connection))
        #expect(try statements.isInRange(Cursor(keys[9]), range, connection))
        #expect(try !statements.isInRange(Cursor(keys[3]), range, connection))
        #expect(try !statements.isInRange(Cursor(keys[10]), range, connection))
        #expect(try !statements.isInRange(Cursor("1"), range, connection), "a key of one column")
    }

    /// Somebody may write anything into the ledger's list of deferred keys by hand.
    @Test(arguments: ["17", "{17}", "{1,x,y}"]) func deferredKeyOfOtherColumnsIsNeitherLostNorBound(_ text: String)
        throws
    {
        let kind = Self.kinds[0]
        _ = try makeTable(kind, rows: 3)
        let batches = TestBatches(connection, try .computing(connection, key: kind.names, read: ["n"], writes: ["n"]))
        let shard = try LeasedShard(store, of: try ownedRun(cutAt: []), keyColumns: 2)
        try store.connection.execute("UPDATE coord.shard SET deferred = ARRAY['{1,x}', $1]", [text])
        let opening = try #require(
            try store.worker.open(shard.lease, owner: shard.worker, run: shard.run, keyColumns: 2))
        #expect(opening.position.deferred.count == 2)
        let misfit = try #require(batches.statements.misfit(in: opening.position))
        #expect(misfit == opening.position.deferred[1])
        #expect(throws: (any Error).self) { try batches.readDeferred(opening.position.deferred, locking: false) }
    }

    /// coord's array literals are compared with the server's, as texts.
    @Test func literalsAreTheServersOwn() throws {
        let texts = (1..<128).map { String(UnicodeScalar(UInt8($0))) } + ["\u{A0}", "\u{2028}", "é", "e\u{301}", "日本"]
        for text in texts + ["", "NULL", "nUlL", "NULLS", "a b", "a\\\"b", "{a,b}", "''", "\u{C}x"] {
            for elements in [[text], ["1", text], [text, text + "x", "x" + text]] {
                let values = elements.indices.map { "$\($0 + 1)::text" }.joined(separator: ", ")
                let server = try connection.execute("SELECT ARRAY[\(values)]::text", elements).text(0, 0)
                #expect(server == Key(elements).literal)
                #expect(Key(literal: server) == Key(elements))
            }
        }
    }
}
