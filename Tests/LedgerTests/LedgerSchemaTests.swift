import Postgres
import Sharding
import Support
import Testing

@testable import Ledger

/// A ledger in a schema of another name, beside somebody else's schema `coord`.
@Suite(.database) struct LedgerSchemaTests {
    private let database = TestDatabase.current
    private let schema: LedgerSchema
    private let store: TestLedger

    init() throws {
        schema = try #require(LedgerSchema("My \"Ledger"))
        store = TestLedger(try database.connect(setup: SearchPath.setup + PostgresSession.ledger), schema: schema)
    }

    @Test(arguments: 1..<Schema.version) func olderLedgerIsBroughtToThisVersionThereToo(_ version: Int) throws {
        try store.occupyStandard()
        for (index, migration) in Schema.migrations(in: schema).prefix(version).enumerated() {
            try store.connection.execute(script: migration)
            try store.connection.execute("INSERT INTO \(schema).migration (version) VALUES (\(index + 1))")
        }
        #expect(try store.installation.install())
        try store.installation.require()
        #expect(try store.events(of: try store.ownedRun().run).first == "run_planned")
        #expect(try store.standardIsUntouched())
    }

    @Test func ledgersOfOneDatabaseKnowNothingOfEachOther() throws {
        let standard = try database.ledger()
        #expect(try store.installation.installedVersion() == 0)
        try store.installation.install()
        let here = try store.ownedRun()
        let there = try standard.ownedRun()
        // The two runs have the same number and the same name.
        #expect(here.run == there.run)
        let leased = try #require(try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), here))
        #expect(try standard.worker.open(leased.lease, owner: .first, run: there.run, keyColumns: 1) == nil)
        #expect(try standard.reader.shard(ShardID(0), of: there.run)?.state == .pending)
        try store.cancellation.cancel(here.run)
        #expect(try standard.reader.run(there.run).state == .running)
        try store.installation.drop()
        #expect(try standard.reader.run(there.run).state == .running)
    }

    @Test func aLedgerThatIsElsewhereIsNamed() throws {
        try store.occupyStandard()
        try store.installation.install()
        let third = TestLedger(store.connection, schema: try #require(LedgerSchema("third")))
        let error = try ledgerError { try third.installation.require() }
        #expect(error.code == .notInstalled)
        #expect(error.message.contains("\"third\"") && error.message.contains("\"My \"\"Ledger\""))
        #expect(error.mend?.contains("--ledger-schema") == true)
        // Somebody else's schema `coord` is no ledger.
        #expect(try third.installation.others() == [schema])
    }

    @Test func installsOfTwoLedgersDoNotWaitForEachOther() throws {
        let ops = try #require(LedgerSchema("ops"))
        let locks = [LedgerSchema.standard, ops, schema].map { Schema.migrationLock(of: $0) }
        #expect(Set(locks).count == 3)
        // The number is that of earlier versions, which may be at work beside this one.
        #expect(locks[0] == 0x636F_6F72_6400_0001)
        let other = try database.connect()
        try other.execute("BEGIN")
        try other.execute("SELECT pg_advisory_xact_lock(\(locks[0]))")
        try store.connection.execute("SET statement_timeout = '10s'")
        #expect(try store.installation.install())
    }

    @Test func aForeignSchemaOfTheChosenNameIsToldWithTheWaysOn() throws {
        try store.connection.execute("CREATE SCHEMA \(schema)")
        try store.connection.execute("CREATE TABLE \(schema).points (x int)")
        let error = try ledgerError { try store.installation.install() }
        #expect(error.code == .foreign && error.message.contains("\"My \"\"Ledger\""))
        #expect(error.mend?.contains("--ledger-schema NAME") == true)
    }
}
