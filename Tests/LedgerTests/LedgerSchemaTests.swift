import Batches
import Postgres
import Sharding
import Support
import Testing

@testable import Ledger

/// A ledger in a schema of another name, beside a schema `coord` that is somebody else's.
@Suite(.database) struct LedgerSchemaTests {
    private let database = TestDatabase.current
    private let schema: LedgerSchema
    private let store: LedgerStore

    init() throws {
        schema = try #require(LedgerSchema("My \"Ledger"))
        store = LedgerStore(try database.connect(setup: SearchPath.setup + PostgresSession.ledger), schema: schema)
    }

    /// Somebody's tables, named as the ledger's are: a statement that goes astray changes them or fails.
    private func occupyStandard() throws {
        try store.connection.execute("CREATE SCHEMA coord")
        for table in ["run", "shard", "attempt", "event", "worker"] {
            try store.connection.execute("CREATE TABLE coord.\(table) (points int)")
            try store.connection.execute("INSERT INTO coord.\(table) VALUES (7)")
        }
    }

    private func standardIsUntouched() throws -> Bool {
        try store.value(
            """
            SELECT string_agg(points::text, '' ORDER BY points) FROM (
                SELECT points FROM coord.run UNION ALL SELECT points FROM coord.shard UNION ALL
                SELECT points FROM coord.attempt UNION ALL SELECT points FROM coord.event UNION ALL
                SELECT points FROM coord.worker) AS t
            """) == "77777"
    }

    @Test func wholeLifeOfARunIsInItsSchemaAlone() throws {
        try occupyStandard()
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
        try store.bind(ownership, tableOID: 1, binding: "{}")
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
        #expect(try standardIsUntouched())

        try store.drop()
        #expect(try store.installedVersion() == 0)
        #expect(try standardIsUntouched())
    }

    @Test(arguments: 1..<Schema.version) func olderLedgerIsBroughtToThisVersionThereToo(_ version: Int) throws {
        try occupyStandard()
        for (index, migration) in Schema.migrations(in: schema).prefix(version).enumerated() {
            try store.connection.execute(script: migration)
            try store.connection.execute("INSERT INTO \(schema).migration (version) VALUES (\(index + 1))")
        }
        #expect(try store.install())
        try store.require()
        #expect(try store.events(of: try store.ownedRun().run).first == "run_planned")
        #expect(try standardIsUntouched())
    }

    @Test func ledgersOfOneDatabaseKnowNothingOfEachOther() throws {
        let standard = try database.ledger()
        #expect(try store.installedVersion() == 0)
        try store.install()
        let here = try store.ownedRun()
        let there = try standard.ownedRun()
        // The same number, and the same name: two runs.
        #expect(here.run == there.run)
        let leased = try #require(try store.lease(ShardID(0), to: .first, after: Epoch(0), here))
        #expect(try standard.open(leased.lease, owner: .first, run: there.run) == nil)
        #expect(try standard.shard(ShardID(0), of: there.run)?.state == .pending)
        try store.cancel(here.run)
        #expect(try standard.run(there.run).state == .running)
        try store.drop()
        #expect(try standard.run(there.run).state == .running)
    }

    @Test func aLedgerThatIsElsewhereIsNamed() throws {
        try occupyStandard()
        try store.install()
        let third = LedgerStore(store.connection, schema: try #require(LedgerSchema("third")))
        let error = try ledgerError { try third.require() }
        #expect(error.code == .notInstalled)
        #expect(error.message.contains("\"third\"") && error.message.contains("\"My \"\"Ledger\""))
        #expect(error.mend?.contains("--ledger-schema") == true)
        // Somebody else's coord is none.
        #expect(try third.others() == [schema])
    }

    @Test func installsOfTwoLedgersDoNotWaitForEachOther() throws {
        let ops = try #require(LedgerSchema("ops"))
        let locks = [LedgerSchema.standard, ops, schema].map { Schema.migrationLock(of: $0) }
        #expect(Set(locks).count == 3)
        // That of earlier versions, which may be at work beside this one.
        #expect(locks[0] == 0x636F_6F72_6400_0001)
        let other = try database.connect()
        try other.execute("BEGIN")
        try other.execute("SELECT pg_advisory_xact_lock(\(locks[0]))")
        try store.connection.execute("SET statement_timeout = '10s'")
        #expect(try store.install())
    }

    @Test func aForeignSchemaOfTheChosenNameIsToldWithTheWaysOn() throws {
        try store.connection.execute("CREATE SCHEMA \(schema)")
        try store.connection.execute("CREATE TABLE \(schema).points (x int)")
        let error = try ledgerError { try store.install() }
        #expect(error.code == .foreign && error.message.contains("\"My \"\"Ledger\""))
        #expect(error.mend?.contains("--ledger-schema NAME") == true)
    }
}
