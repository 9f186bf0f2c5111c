import CoordKit
import Ledger
import Postgres
import Sharding
import Support
import Testing

@testable import Batches

/// What other sessions do to the rows of a stretch that is under way.
@Suite(.database) struct CombLiveTests {
    private let store: TestLedger
    private let connection: PostgresConnection
    private let kind = CombKind(columns: ["bigint"], values: ["i * 10"], rule: .hash)

    init() throws {
        store = try TestDatabase.current.ledger()
        connection = try TestDatabase.current.connect()
        try kind.makeTable(connection, rows: 30)
    }

    private func count(_ condition: String) throws -> Int {
        Int(try connection.execute("SELECT count(*) FROM items WHERE \(condition)").int(0, 0) ?? -1)
    }

    private func worker(
        _ batches: BatchKind, _ comb: Comb, of ownership: Ownership, worker: WorkerID = .first,
        limits: BatchLimits = BatchLimits(), where predicate: String? = nil, target: Target? = nil
    ) throws -> CombWorker {
        try CombWorker(
            store, batches, try target ?? kind.target(batches, where: predicate, connection), comb, of: ownership,
            worker: worker, limits: limits)
    }

    // MARK: - Other people's changes

    @Test(arguments: BatchKind.allCases) func rowsThatAreDeletedMeanwhileArePassed(_ batches: BatchKind) throws {
        let ownership = try store.combRun()
        let worker = try worker(batches, kind.comb(stretchRows: 20), of: ownership)
        _ = try worker.step()
        // The deleted rows include the end of the stretch, and whole batches.
        try connection.execute("DELETE FROM items WHERE n = 0 AND (a BETWEEN 70 AND 200 OR a = 300)")
        try worker.finish()
        #expect(try count("n <> 1") == 0)
        let left = try count("true")
        #expect(try store.reader.run(ownership.run).rowsDone == Int64(left) && left > 10)
    }

    @Test(arguments: BatchKind.allCases) func rowsThatAreDeletedBeforeTheirWriteArePassed(_ batches: BatchKind) throws {
        let ownership = try store.combRun()
        let worker = try worker(batches, kind.comb(batchRows: 5, stretchRows: 20), of: ownership)
        let outcome = try #require(
            try worker.step { try connection.execute("DELETE FROM items WHERE a IN (10, 30, 70, 110)") })
        // Only a computed batch has answers for the deleted rows: it defers their keys, and the next read finds no
        // rows.
        #expect(outcome.deferred.isEmpty || batches == .rowBased)
        try worker.finish()
        #expect(try count("n <> 1") == 0)
        #expect(try store.reader.run(ownership.run).rowsDone == 26)
    }

    /// A row that is inserted during the run may be changed or not. It must not cost any other row its change.
    @Test(arguments: BatchKind.allCases) func rowsThatComeMeanwhileChangeNothingForTheOthers(_ batches: BatchKind)
        throws
    {
        let comb = kind.comb(stretchRows: 20)
        for boundary in [1, 4, 7, 12] {
            let ownership = try store.combRun("job \(boundary)")
            let first = try worker(batches, comb, of: ownership)
            for _ in 0..<boundary { _ = try first.step() }
            try connection.execute("INSERT INTO items (a) SELECT i * 10 + 5 FROM generate_series(0, 30) AS i")
            if boundary % 2 == 0 {
                try first.finish()
            } else {
                try worker(batches, comb, of: ownership, worker: .second).finish()
            }
            #expect(try count("a % 10 = 0 AND n <> 1") == 0, "behind batch \(boundary)")
            #expect(try count("n NOT IN (0, 1)") == 0)
            try connection.execute("DELETE FROM items WHERE a % 10 <> 0")
            try connection.execute("UPDATE items SET n = 0")
        }
    }

    @Test(arguments: BatchKind.allCases) func changesOfOthersAreKept(_ batches: BatchKind) throws {
        let ownership = try store.combRun()
        let worker = try worker(batches, kind.comb(batchRows: 5, stretchRows: 20), of: ownership)
        let first = try #require(try worker.step())
        // The update changes the rows that the worker has read, and all rows after them.
        let second = try #require(try worker.step { try connection.execute("UPDATE items SET n = 100 WHERE n = 0") })
        #expect(second.deferred.isEmpty == (batches == .setBased))
        try worker.finish()
        #expect(try count("n = 1") == first.rowsDone)
        #expect(try count("n = 101") == 30 - first.rowsDone)
        #expect(try store.reader.run(ownership.run).rowsDone == 30)
    }

    @Test(arguments: BatchKind.allCases) func heldRowsAreDeferredAndDoneOnceTheyAreFree(_ batches: BatchKind) throws {
        let ownership = try store.combRun(through: Key("300"))
        let worker = try worker(batches, kind.comb(batchRows: 5, stretchRows: 20), of: ownership)
        worker.triesDeferred = false
        let holder = try TestDatabase.current.connect()
        try holder.execute("BEGIN")
        try holder.execute("SELECT FROM items WHERE a IN (20, 160, 300) FOR UPDATE")
        var outcome = try #require(try worker.step())
        for _ in 0..<100 where outcome.cursor != Cursor(Key("300")) { outcome = try #require(try worker.step()) }
        #expect(Set(outcome.deferred) == [Key("20"), Key("160"), Key("300")] && !outcome.done)
        #expect(try count("n = 1") == 27)
        // The ledger tells another worker which rows are left.
        let second = try self.worker(batches, kind.comb(), of: ownership, worker: .second)
        #expect(Set(second.deferred) == Set(outcome.deferred))
        try holder.execute("ROLLBACK")
        try second.finish()
        #expect(try count("n = 1") == 30)
        #expect(try store.reader.run(ownership.run).rowsDone == 30)
    }

    // MARK: - The size of batches

    /// Every fourth row is wide: the batch that would have contained it ends before it.
    @Test func computedBatchEndsBeforeTheRowThatWouldExceedItsBytes() throws {
        try connection.execute("ALTER TABLE items ALTER note SET STORAGE EXTERNAL")
        try connection.execute("UPDATE items SET note = repeat('x', CASE WHEN a % 40 = 0 THEN 3000 ELSE 10 END)")
        let limits = BatchLimits(rows: 100, bytes: 4096)
        let ownership = try store.combRun()
        let target = try Target.computing(connection, key: ["a"], read: ["n", "note"], writes: ["n"])
        let comb = kind.comb(stripes: 2, batchRows: 20, stretchRows: 30)
        let reader = BatchReader(
            statements: BatchStatements(target: target), limits: limits, columns: target.key.systemColumns + 2,
            comb: comb)
        let shard = try LeasedShard(store, of: ownership)
        var (cursor, seen) = (Cursor.start, [Key]())
        var isExhausted = false
        let session = try TestDatabase.current.connect(setup: PostgresSession.batches + PostgresSession.byIndex)
        for number in 0..<100 where !isExhausted {
            let batch = try reader.read(shard.range, Position(cursor), locking: false, session)
            #expect(batch.rows.bytes <= limits.bytes)
            seen += (0..<batch.rows.rows).map { target.key.key(of: $0, in: batch.rows) }
            #expect(batch.cursor != cursor || batch.summary.exhausted)
            (cursor, isExhausted) = (batch.cursor, batch.summary.exhausted)
            // The row that would have ended the next batch is deleted.
            if number == 2 { try connection.execute("DELETE FROM items WHERE a = 280") }
        }
        #expect(isExhausted)
        #expect(seen.count == Set(seen).count)
        #expect(Set(seen).union([Key("280")]).count == 30)
    }

    /// Keys of some kilobytes: a worker holds few of them at a time.
    @Test(arguments: BatchKind.allCases) func stretchOfLongKeysEndsWithItsBytes(_ batches: BatchKind) throws {
        for statement in [
            "CREATE TABLE long (k text PRIMARY KEY, n int NOT NULL DEFAULT 0, note text)",
            """
            INSERT INTO long (k)
            SELECT i || string_agg(md5(i::text || j), '') FROM generate_series(1, 4000) AS i, generate_series(1, 60) AS j GROUP BY i
            """,
        ] { try connection.execute(statement) }
        let target: Target =
            switch batches {
            case .setBased: try Target.setting(connection, table: "long", key: ["k"], ["n": "n + 1"])
            case .rowBased: try Target.computing(connection, table: "long", key: ["k"], read: ["n"], writes: ["n"])
            }
        let comb = Comb(stripes: 4, rule: .hash, batchRows: 500, stretchRows: 100_000)
        let session = try TestDatabase.current.connect(setup: PostgresSession.batches + PostgresSession.byIndex)
        var stretch = try Stretch.look(
            BatchStatements(target: target), comb, .everything, behind: .start, keys: comb.stretchRows, session)
        var bytes = 0
        var ends: Set<Key> = []
        while let part = stretch.next(rows: 500) {
            for row in part.rows { bytes += part.keys.text(row: row, column: 0)?.utf8.count ?? 0 }
            if let end = part.cursor.stretch?.end ?? part.cursor.checkpoint { ends.insert(end) }
        }
        #expect((Comb.stretchBytes - 4_000...Comb.stretchBytes + 4_000).contains(bytes))
        #expect(ends.count == 1)
        let worker = try worker(batches, comb, of: try store.combRun(), target: target)
        try worker.finish()
        #expect(try connection.execute("SELECT count(*) FROM long WHERE n = 1").int(0, 0) == 4000)
    }

    /// Somebody changes a key to one that its collation takes for the same, between the look and the read. The row would be
    /// the last of its batch, and nothing tells where in the part it stands.
    @Test func batchWhoseLastKeyIsSpeltAnotherWayIsReadAnew() throws {
        for statement in [
            "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            "CREATE TABLE words (k text COLLATE ci PRIMARY KEY, n int NOT NULL DEFAULT 0, note text)",
            "INSERT INTO words SELECT 'word' || to_char(i, 'FM000'), 0, repeat('x', 100) FROM generate_series(1, 200) AS i",
        ] { try connection.execute(statement) }
        let target = try Target.computing(connection, table: "words", key: ["k"], read: ["n", "note"], writes: ["n"])
        let comb = Comb(stripes: 3, rule: .hash, batchRows: 50, stretchRows: 120)
        let reader = BatchReader(
            statements: BatchStatements(target: target), limits: BatchLimits(rows: 50, bytes: 1024),
            columns: target.key.systemColumns + 2, comb: comb)
        let session = try TestDatabase.current.connect(setup: PostgresSession.batches + PostgresSession.byIndex)
        var (cursor, seen, isExhausted) = (Cursor.start, [String](), false)
        for number in 0..<400 where !isExhausted {
            let request = try reader.prepare(.everything, Position(cursor), locking: false, session)
            if number % 3 == 1 { try connection.execute("UPDATE words SET k = upper(k)") }
            if number % 3 == 2 { try connection.execute("UPDATE words SET k = lower(k)") }
            try session.enterPipeline()
            try reader.send(request, session)
            let batch = try reader.receive(request, session)
            try session.leavePipeline()
            seen += (0..<batch.rows.rows).map { batch.rows.text(row: $0, column: 0)?.lowercased() ?? "" }
            (cursor, isExhausted) = (batch.cursor, batch.summary.exhausted)
        }
        #expect(isExhausted)
        #expect(seen.count == 200 && Set(seen).count == 200)
    }

    @Test(arguments: BatchKind.allCases) func batchesThatBecomeSmallerOnTheWayStillTakeEachRowOnce(_ batches: BatchKind)
        throws
    {
        let ownership = try store.combRun()
        let worker = try worker(batches, kind.comb(batchRows: 8, stretchRows: 20), of: ownership)
        var before: Int64 = 0
        var rows = 8
        for _ in 0..<100 {
            let outcome = try #require(try worker.step(rows: rows))
            #expect(outcome.rowsDone - before <= Int64(rows))
            before = outcome.rowsDone
            rows = max(1, rows / 2)
            if outcome.done { break }
        }
        #expect(try count("n = 1") == 30)
    }

    @Test func stretchShrinksWithItsBatches() {
        let walk = StretchWalk(Comb(stripes: 10, rule: .hash, batchRows: 300, stretchRows: 9000))
        #expect([1000, 300, 150, 30, 2, 1].map(walk.keys) == [9000, 9000, 2250, 90, 2, 1])
        let odd = StretchWalk(Comb(stripes: 4, rule: .hash, batchRows: 7, stretchRows: 5))
        #expect([9, 7, 6, 3, 1].map(odd.keys) == [5, 5, 5, 3, 1])
    }

    // MARK: - A condition that fails

    @Test(arguments: [10, 20, 150, 290, 300], [false, true])
    func rowAtWhichTheConditionFailsIsFound(_ row: Int, isUnderWay: Bool) throws {
        let comb = kind.comb(batchRows: 8, stretchRows: 40)
        let statements = BatchStatements(
            target: try kind.target(.setBased, where: "10 / (a - \(row)) < 100", connection))
        let table = try CombTable(kind, comb, connection)
        let index = try #require(table.keys.firstIndex(of: Key("\(row)")))
        // The stripe of the row. The look begins in this stripe, or in a stretch that nobody has begun.
        let stripe = (0..<3).first { stripe in
            let at = Cursor(nil, stretch: .init(end: Key("300"), stripe: stripe, last: Key("300")))
            return (try? table.isDone(index, at: at)) == true
        }
        let under = Cursor(nil, stretch: .init(end: Key("300"), stripe: try #require(stripe), last: nil))
        let session = try TestDatabase.current.connect(setup: PostgresSession.batches + PostgresSession.byIndex)
        let cursor = isUnderWay ? under : .start
        #expect(throws: PostgresError.self) {
            try Stretch.look(statements, comb, .everything, behind: cursor, keys: 40, session)
        }
        let found = try Stretch.failingKey(
            statements, comb, .everything, behind: cursor, keys: 40, isOfRow: { $0.sqlState == "22012" }, session)
        #expect(found == Key("\(row)"))
        #expect(throws: PostgresError.self) {
            try Stretch.failingKey(
                statements, comb, .everything, behind: cursor, keys: 40, isOfRow: { _ in false }, session)
        }
        // Somebody has deleted the row meanwhile.
        try connection.execute("DELETE FROM items WHERE a = \(row)")
        let mended = try Stretch.failingKey(
            statements, comb, .everything, behind: cursor, keys: 40, isOfRow: { _ in true }, session)
        #expect(mended == nil)
    }
}
