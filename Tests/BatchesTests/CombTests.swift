import Ledger
import Postgres
import Sharding
import Support
import Testing

@testable import Batches

/// Shards that are done stripe by stripe.
@Suite(.database) struct CombTests {
    private let store: TestLedger
    private let connection: PostgresConnection

    init() throws {
        store = try TestDatabase.current.ledger()
        connection = try TestDatabase.current.connect()
    }

    /// Checks after a batch that the ledger has the cursor, and that the done rows are exactly those that the cursor
    /// has passed (I1, I2).
    private func check(
        _ outcome: BatchOutcome, _ worker: CombWorker, _ table: CombTable, rows: Range<Int>, before: [Int],
        where isMeant: (Int) -> Bool = { _ in true }
    ) throws {
        let detail = try store.reader.shards(of: worker.shard.run)[Int(worker.shard.lease.shard.rawValue)]
        #expect(detail.cursor == outcome.cursor)
        #expect(detail.record.sequence == outcome.sequence && detail.record.rowsDone == outcome.rowsDone)
        let counts = try table.counts(connection)
        var done = 0
        for row in counts.indices {
            let isDone = rows.contains(row) && isMeant(row) ? try table.isDone(row, at: outcome.cursor) : false
            done += isDone ? 1 : 0
            #expect(counts[row] == before[row] + (isDone ? 1 : 0), "\(table.keys[row]) at \(outcome.cursor)")
        }
        #expect(outcome.rowsDone == done)
    }

    @Test(arguments: CombKind.all, BatchKind.allCases)
    func rowsThatTheLedgersCursorHasPassedAreThoseThatAreChanged(_ kind: CombKind, _ batches: BatchKind) throws {
        guard try available(collationOf: kind.columns[0], connection) else { return }
        try kind.makeTable(connection, rows: 40)
        let comb = kind.comb()
        let table = try CombTable(kind, comb, connection)
        let target = try kind.target(batches, connection)
        // The three shards have an open lower end, no open end, and an open upper end. A later run has one shard open
        // at both ends.
        let ownership = try store.combRun(cutAt: [table.keys[9], table.keys[29]])
        for (id, rows) in [(Int32(1), 10..<30), (2, 30..<40), (0, 0..<10)] {
            let before = try table.counts(connection)
            let worker = try CombWorker(store, batches, target, comb, shard: id, of: ownership)
            var stretches: Set<Key> = []
            for number in 1...100 {
                let outcome = try #require(try worker.step())
                #expect(outcome.sequence == Int64(number))
                try check(outcome, worker, table, rows: rows, before: before)
                if let end = outcome.cursor.stretch?.end { stretches.insert(end) }
                // The same batch is sent once more, as after a lost answer.
                #expect(try worker.sendAgain() == nil)
                if outcome.done { break }
            }
            #expect(stretches.count == (rows.count + 12) / 13)
            #expect(try store.reader.shard(ShardID(id), of: ownership.run)?.state == .done)
            #expect(try worker.step() == nil, "a shard that is done takes no batch")
        }
        _ = try store.coordinator.conclude(ownership)
        #expect(try store.reader.run(ownership.run).state == .complete)
        #expect(try store.reader.run(ownership.run).rowsDone == 40)

        let whole = try CombWorker(store, batches, target, comb, of: try store.combRun("whole"))
        try whole.finish()
        #expect(Set(try table.counts(connection)) == [2])
    }

    /// The next worker knows only what the ledger says.
    @Test(arguments: CombKind.few, BatchKind.allCases)
    func shardGoesOnBehindAnyBatchAtAnotherWorker(_ kind: CombKind, _ batches: BatchKind) throws {
        guard try available(collationOf: kind.columns[0], connection) else { return }
        try kind.makeTable(connection, rows: 24)
        let comb = kind.comb(stretchRows: 10)
        let table = try CombTable(kind, comb, connection)
        let target = try kind.target(batches, connection)
        let unbroken = try CombWorker(store, batches, target, comb, of: try store.combRun("unbroken"))
        let count = try unbroken.finish()
        #expect(count > 10)
        for boundary in 1..<count {
            let before = try table.counts(connection)
            let ownership = try store.combRun("job \(boundary)", through: table.keys[23])
            let first = try CombWorker(store, batches, target, comb, of: ownership)
            for _ in 0..<boundary { #expect(try first.step()?.done == false) }
            // Every second worker has looks that end before the stripe does.
            let short = boundary % 2 == 0 ? kind.comb(stretchRows: 2) : comb
            let second = try CombWorker(store, batches, target, short, of: ownership, worker: .second)
            #expect(second.shard.cursor == first.shard.cursor)
            while true {
                let outcome = try #require(try second.step())
                try check(outcome, second, table, rows: 0..<24, before: before)
                if outcome.done { break }
            }
            #expect(try first.step() == nil)
            #expect(try table.counts(connection) == before.map { $0 + 1 }, "behind batch \(boundary)")
        }
    }

    @Test(arguments: BatchKind.allCases) func everyBatchMayBeAnotherWorkers(_ batches: BatchKind) throws {
        let kind = CombKind.all[0]
        try kind.makeTable(connection, rows: 24)
        let comb = kind.comb(stretchRows: 10)
        let table = try CombTable(kind, comb, connection)
        let target = try kind.target(batches, connection)
        let ownership = try store.combRun()
        for number in 0..<60 {
            let worker = try CombWorker(
                store, batches, target, comb, of: ownership, worker: number % 2 == 0 ? .first : .second)
            let outcome = try #require(try worker.step())
            try check(outcome, worker, table, rows: 0..<24, before: Array(repeating: 0, count: 24))
            if outcome.done { break }
        }
        #expect(Set(try table.counts(connection)) == [1])
    }

    // MARK: - Rows that do not meet the condition

    @Test(arguments: BatchKind.allCases, ["a % 2 = 0", "a > 0", "a < -1000", "a % 5 = 0 -- few"])
    func onlyRowsThatMeetTheConditionAreChanged(_ batches: BatchKind, predicate: String) throws {
        let kind = CombKind.all[0]
        try kind.makeTable(connection, rows: 40)
        let meant = try connection.execute("SELECT (\(predicate)\n) FROM items ORDER BY a")
        let comb = kind.comb()
        let table = try CombTable(kind, comb, connection)
        let target = try kind.target(batches, where: predicate, connection)
        let worker = try CombWorker(store, batches, target, comb, of: try store.combRun())
        while true {
            let outcome = try #require(try worker.step())
            try check(
                outcome, worker, table, rows: 0..<40, before: Array(repeating: 0, count: 40),
                where: { meant.bool($0, 0) == true })
            if outcome.done { break }
        }
    }

    @Test(arguments: BatchKind.allCases) func conditionThatTheChangeMakesFalseHoldsNothingUp(_ batches: BatchKind)
        throws
    {
        let kind = CombKind.all[3]
        try kind.makeTable(connection, rows: 40)
        let target = try kind.target(batches, where: "n = 0", connection)
        let ownership = try store.combRun()
        let first = try CombWorker(store, batches, target, kind.comb(), of: ownership)
        for _ in 0..<3 { _ = try first.step() }
        try CombWorker(store, batches, target, kind.comb(), of: ownership, worker: .second).finish()
        #expect(try store.reader.run(ownership.run).rowsDone == 40)
        #expect(try connection.execute("SELECT count(*) FROM items WHERE n = 1").int(0, 0) == 40)
    }

    /// A look also advances if all the rows that it finds are outside the condition.
    @Test(arguments: BatchKind.allCases)
    func rowsThatComeIntoAStripeAndDoNotMeetTheConditionArePassed(_ batches: BatchKind) throws {
        let kind = CombKind.all[2]
        try kind.makeTable(connection, rows: 8)
        let comb = kind.comb(batchRows: 1, stretchRows: 4)
        let target = try kind.target(batches, where: "note IS NULL", connection)
        let ownership = try store.combRun()
        let first = try CombWorker(store, batches, target, comb, of: ownership)
        #expect(try first.step()?.cursor.stretch?.last == Key("300"))
        // The new rows are in the same stripe, and are more than one look takes.
        try connection.execute("INSERT INTO items (a, note) SELECT 300 + 3 * i, 'x' FROM generate_series(1, 6) AS i")
        let second = try CombWorker(store, batches, target, comb, of: ownership, worker: .second)
        let outcome = try #require(try second.step())
        #expect(outcome.cursor == Cursor(nil, stretch: .init(end: Key("1200"), stripe: 0, last: Key("312"))))
        #expect(outcome.rowsDone == 1)
        try second.finish()
        #expect(try connection.execute("SELECT count(*) FROM items WHERE n = 1 AND note IS NULL").int(0, 0) == 8)
        #expect(try connection.execute("SELECT count(*) FROM items WHERE n <> 0 AND note IS NOT NULL").int(0, 0) == 0)
    }

    // MARK: - Few rows

    @Test(arguments: BatchKind.allCases) func rangesWithoutRowsAreDoneAtOnce(_ batches: BatchKind) throws {
        let kind = CombKind.all[0]
        try kind.makeTable(connection, rows: 0)
        let target = try kind.target(batches, connection)
        let ownership = try store.combRun(cutAt: [Key("10"), Key("20")])
        for id in Int32(0)...2 {
            let worker = try CombWorker(store, batches, target, kind.comb(), shard: id, of: ownership)
            #expect(try worker.step()?.done == true)
            #expect(worker.shard.cursor == Cursor([Key("10"), Key("20"), nil][Int(id)]))
        }
    }

    /// A range may be exactly as long as its stretches: then only the next look finds that nothing is left.
    @Test(arguments: BatchKind.allCases, [1, 2, 12, 13, 14, 26])
    func rangeOfAnyLengthEnds(_ batches: BatchKind, rows: Int) throws {
        for kind in [CombKind.all[0], CombKind.all[2]] {
            try connection.execute("DROP TABLE IF EXISTS items")
            try kind.makeTable(connection, rows: rows)
            let table = try CombTable(kind, kind.comb(), connection)
            let target = try kind.target(batches, connection)
            for through in [nil, table.keys.last, Key("1000000")] {
                let run = try store.combRun("\(kind.columns) to \(through?.description ?? "the end")", through: through)
                let worker = try CombWorker(store, batches, target, kind.comb(), of: run)
                try worker.finish()
                #expect(worker.shard.cursor == Cursor(through ?? table.keys.last))
                #expect(try store.reader.run(run.run).rowsDone == Int64(rows))
            }
            #expect(try table.counts(connection) == Array(repeating: 3, count: rows))
        }
    }
}
