import Batches
import Ledger
import Postgres
import Sharding
import Support
import Testing

/// Each test switches one safety mechanism off and expects the violation. That proves that the other tests test the
/// mechanism.
@Suite(.database) struct NegativeControlTests {
    private let store: TestLedger
    private let connection: PostgresConnection
    private let ownership: Ownership
    private let shard: LeasedShard

    init() throws {
        store = try TestDatabase.current.ledger()
        connection = try TestDatabase.current.connect(setup: PostgresSession.batches + PostgresSession.byIndex)
        _ = try KeyKind.all[1].makeTable(connection, rows: 4)
        ownership = try store.ownedRun()
        shard = try LeasedShard(store, of: ownership)
    }

    @Test(arguments: BatchKind.allCases) func withoutTheFenceAZombieWritesTwice(_ kind: BatchKind) throws {
        try store.connection.execute(script: OpenFence.sql)
        let batches = TestBatches(connection, try kind.target(connection))
        let next = try LeasedShard(store, of: ownership, worker: .second)
        #expect(try kind.advance(batches, next)?.sequence == 1)
        #expect(try kind.advance(batches, shard)?.sequence == 2, "the old lease should have been let through")
        #expect(try connection.counts() == ["2", "2", "2", "2"])
        #expect(try store.reader.shard(ShardID(0), of: shard.run)?.rowsDone == 8)
    }

    @Test func withoutTheCompareAChangeIsOverwritten() throws {
        let target = try BatchKind.rowBased.target(connection)
        let batches = TestBatches(connection, target, mechanisms: Mechanisms.all.subtracting(.compare))
        let rows = try batches.read(shard, limit: 4)
        try store.connection.execute("UPDATE items SET n = 100")
        let outcome = try batches.write(shard, rows, values: [["1", "1", "1", "1"]], through: rows.keys.last)
        #expect(outcome?.deferred == [])
        #expect(try connection.counts() == ["1", "1", "1", "1"])
    }

    @Test(arguments: BatchKind.allCases) func withoutTheCheckpointARunThatGoesOnAppliesTwice(_ kind: BatchKind) throws {
        let batches = TestBatches(
            connection, try kind.target(connection), mechanisms: Mechanisms.all.subtracting(.checkpoint))
        let sequence = try kind.advance(batches, shard)?.sequence
        #expect(sequence == 0)
        // The worker dies, and the next worker reads in the ledger where to continue.
        let next = try LeasedShard(store, of: ownership, worker: .second)
        #expect(next.cursor.checkpoint == nil)
        let again = try kind.advance(batches, next)
        #expect(again != nil)
        let counts = try connection.counts()
        #expect(counts == ["2", "2", "2", "2"])
    }

    @Test(arguments: BatchKind.allCases, [false, true])
    func onlyTheStretchInTheLedgerKeepsTheNextBatchFromRowsThatAreDone(_ kind: BatchKind, isKept: Bool) throws {
        let comb = Comb(stripes: 2, rule: .hash, batchRows: 1, stretchRows: 4)
        let mechanisms = isKept ? Mechanisms.all : Mechanisms.all.subtracting(.stretch)
        let target = try kind.target(connection)
        let first = try CombWorker(store, kind, target, comb, of: ownership, mechanisms: mechanisms)
        _ = try first.step()
        #expect((first.shard.cursor.stretch != nil) == isKept)
        let next = try CombWorker(
            store, kind, target, comb, of: ownership, worker: .second, mechanisms: mechanisms)
        for _ in 0..<6 where try next.step()?.done == false {}
        #expect(try connection.counts().contains("1") == isKept)
        #expect(try connection.counts().contains { $0 != "0" && $0 != "1" } == !isKept)
    }

    @Test(arguments: BatchKind.allCases) func withAllMechanismsNoneOfThatHappens(_ kind: BatchKind) throws {
        let batches = TestBatches(connection, try kind.target(connection), mechanisms: .all)
        #expect(try kind.advance(batches, shard)?.sequence == 1)
        let next = try LeasedShard(store, of: ownership, worker: .second)
        #expect(next.cursor.checkpoint == Key("-1600000"))
        #expect(try kind.advance(batches, shard) == nil)
        _ = try kind.advance(batches, next)
        #expect(try connection.counts() == ["1", "1", "1", "1"])
    }
}
