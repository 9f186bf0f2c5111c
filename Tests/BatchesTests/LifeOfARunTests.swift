import Batches
import Postgres
import Sharding
import Support
import Testing

@testable import Ledger

/// All calls that a run's processes make on a ledger, in a schema of another name, beside somebody else's schema
/// `coord`.
@Suite(.database) struct LifeOfARunTests {
    private let database = TestDatabase.current
    private let schema: LedgerSchema
    private let store: TestLedger

    init() throws {
        schema = try #require(LedgerSchema("My \"Ledger"))
        store = TestLedger(try database.connect(setup: SearchPath.setup + PostgresSession.ledger), schema: schema)
    }

    @Test func wholeLifeOfARunIsInItsSchemaAlone() throws {
        try store.occupyStandard()
        #expect(try ledgerError { try LedgerInstallation(store.connection).install() }.code == .foreign)
        #expect(try store.installation.install())
        try store.installation.require()
        #expect(try !store.installation.install())

        let connection = try database.connect(setup: PostgresSession.batches + PostgresSession.byIndex)
        let keys = try #require(KeyKind.all.first).makeTable(connection, rows: 20)
        let ownership = try store.ownedRun(cutAt: [keys[9]])
        let run = ownership.run
        let batches = TestBatches(connection, try .setting(connection, ["n": "n + 1"]), ledger: schema)
        var first = try LeasedShard(store, shard: 0, of: ownership)
        #expect(try batches.applyAll(&first, rows: 4).last?.done == true)
        #expect(try store.worker.enter(run, applicationName: "test"))
        _ = try store.coordinator.renew(ownership, rowsPerSecond: 1)
        #expect(try ledgerError { _ = try store.worker.assignment(of: run) }.code == .wrongState("unresolved"))
        try store.coordinator.bind(ownership, tableOID: 1, binding: "{}", specification: #"{"version": 1}"#)
        #expect(
            try store.worker.assignment(of: run)
                == .init(binding: "{}", specification: #"{"version": 1}"#, mayChangeTables: true))
        try store.coordinator.noteBatchRows(5, ownership)
        try store.coordinator.noteRowsAbove(0, of: run)
        #expect(try store.reader.unchangedRows(of: run) == 0)
        try store.coordinator.note([WorkerRecord(id: .first, host: "a", pid: 1)], of: run)
        #expect(try store.reader.workers(of: run, includeGone: false).count == 1)

        // A failure, a cancel's look for locks, a conclusion with a failed shard, and a second coordinator.
        let second = try LeasedShard(store, shard: 1, of: ownership)
        try store.coordinator.terminateHolder(of: ShardID(99), run: run)
        _ = try store.coordinator.recordAttempt(
            second.lease, worker: .first, outcome: "failed", error: "why", permanent: true, attempts: 5, ownership)
        #expect(try store.cancellation.lockHolders(of: run).isEmpty)
        #expect(try store.coordinator.conclude(ownership)?.failed == 1)
        #expect(try store.reader.run(run).state == .partial)
        let next = try store.coordinator.takeOver(run, as: .rival, host: "other", pid: 8)
        #expect(try store.coordinator.standing(next) == .owned)
        var again = try LeasedShard(store, shard: 1, of: next)
        #expect(try batches.applyAll(&again, rows: 4).last?.done == true)
        try store.coordinator.noteEnd([WorkerRecord(id: .first, host: "a", pid: 1)], of: run)
        #expect(try store.coordinator.load(run).count == 2)
        _ = try store.coordinator.conclude(next)
        #expect(try store.reader.run(run).state == .complete && store.reader.run(run).rowsDone == 20)
        #expect(try Set(connection.counts()) == ["1"])

        // The triggers wrote into the same schema, too.
        #expect(try store.attempts(of: run) == ["0 1 done true", "1 1 failed true", "1 2 done true"])
        let events = try store.events(of: run)
        #expect(events.contains("shard_leased 1") && events.contains("lease_failed 1") && events.last == "run_complete")
        let other = try store.coordinator.createRun(.sample("other"), plan: .cut(at: ["5"]))
        try store.coordinator.endEmpty(other)
        try store.cancellation.cancel(
            try store.coordinator.createRun(
                .sample("third"), plan: .cut(at: []), replacing: try store.reader.run(other)))
        #expect(try store.reader.runs().map(\.state) == [.cancelled, .cancelled, .complete])
        #expect(try store.standardIsUntouched())

        try store.installation.drop()
        #expect(try store.installation.installedVersion() == 0)
        #expect(try store.standardIsUntouched())
    }
}
