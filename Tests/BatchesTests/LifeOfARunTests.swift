import Batches
import Postgres
import Sharding
import Support
import Testing

@testable import Ledger

/// All that a run's processes do to a ledger, in a schema of another name, beside a schema `coord` that is somebody else's.
@Suite(.database) struct LifeOfARunTests {
    private let database = TestDatabase.current
    private let schema: LedgerSchema
    private let store: LedgerStore

    init() throws {
        schema = try #require(LedgerSchema("My \"Ledger"))
        store = LedgerStore(try database.connect(setup: SearchPath.setup + PostgresSession.ledger), schema: schema)
    }

    @Test func wholeLifeOfARunIsInItsSchemaAlone() throws {
        try store.occupyStandard()
        #expect(try ledgerError { try LedgerStore(store.connection).install() }.code == .foreign)
        #expect(try store.install())
        try store.require()
        #expect(try !store.install())

        let connection = try database.connect(setup: PostgresSession.batches + PostgresSession.byIndex)
        let keys = try #require(KeyKind.all.first).makeTable(connection, rows: 20)
        let ownership = try store.ownedRun(cutAt: [keys[9]])
        let run = ownership.run
        let batches = TestBatches(connection, try .setting(connection, ["n": "n + 1"]), ledger: schema)
        var first = try LeasedShard(store, shard: 0, of: ownership)
        #expect(try batches.applyAll(&first, rows: 4).last?.done == true)
        #expect(try store.enter(run, applicationName: "test"))
        _ = try store.renew(ownership, rowsPerSecond: 1)
        #expect(try ledgerError { _ = try store.assignment(of: run) }.code == .wrongState("unresolved"))
        try store.bind(ownership, tableOID: 1, binding: "{}", specification: #"{"version": 1}"#)
        #expect(try store.assignment(of: run) == .init(binding: "{}", specification: #"{"version": 1}"#))
        try store.noteBatchRows(5, ownership)
        try store.noteRowsAbove(0, of: run)
        #expect(try store.unchangedRows(of: run) == 0)
        try store.note([WorkerRecord(id: .first, host: "a", pid: 1)], of: run)
        #expect(try store.workers(of: run, includeGone: false).count == 1)

        // A failure, a cancel's look at locks, a release and a second coordinator.
        let second = try LeasedShard(store, shard: 1, of: ownership)
        try store.terminateHolder(of: ShardID(99), run: run)
        _ = try store.recordAttempt(
            second.lease, worker: .first, outcome: "failed", error: "why", permanent: true, attempts: 5, ownership)
        #expect(try store.lockHolders(of: run).isEmpty)
        #expect(try store.conclude(ownership)?.failed == 1)
        #expect(try store.run(run).state == .partial)
        let next = try store.takeOver(run, as: .rival, host: "other", pid: 8)
        #expect(try store.standing(next) == .owned)
        var again = try LeasedShard(store, shard: 1, of: next)
        #expect(try batches.applyAll(&again, rows: 4).last?.done == true)
        try store.noteEnd([WorkerRecord(id: .first, host: "a", pid: 1)], of: run)
        #expect(try store.load(run).count == 2)
        _ = try store.conclude(next)
        #expect(try store.run(run).state == .complete && store.run(run).rowsDone == 20)
        #expect(try Set(connection.counts()) == ["1"])

        // The triggers wrote into the same schema.
        #expect(try store.attempts(of: run) == ["0 1 done true", "1 1 failed true", "1 2 done true"])
        let events = try store.events(of: run)
        #expect(events.contains("shard_leased 1") && events.contains("lease_failed 1") && events.last == "run_complete")
        let other = try store.createRun(.sample("other"), plan: .cut(at: ["5"]))
        try store.endEmpty(other)
        try store.cancel(try store.createRun(.sample("third"), plan: .cut(at: []), replacing: try store.run(other)))
        #expect(try store.runs().map(\.state) == [.cancelled, .cancelled, .complete])
        #expect(try store.standardIsUntouched())

        try store.drop()
        #expect(try store.installedVersion() == 0)
        #expect(try store.standardIsUntouched())
    }
}
