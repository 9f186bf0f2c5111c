import Postgres
import Testing

@testable import Ledger

@Suite(.database) struct MigrationTests {
    private let database = TestDatabase.current
    private let store: LedgerStore

    init() throws { store = LedgerStore(try database.connect()) }

    @Test func ledgerIsInstalledOnceAndStays() throws {
        #expect(try store.installedVersion() == 0)
        #expect(try store.install())
        #expect(try store.installedVersion() == Schema.version)
        try store.require()
        #expect(try !store.install())
        #expect(try store.value("SELECT count(*) FROM coord.migration") == "\(Schema.version)")
    }

    @Test func missingLedgerIsSaidWithTheWayOn() throws {
        let error = try ledgerError { try store.require() }
        #expect(error.code == .notInstalled)
        #expect(error.mend?.contains("coord ledger install") == true)
    }

    /// The state of a session as another sees it: idle, unless a transaction was left open.
    private func state(of connection: PostgresConnection) throws -> String? {
        try database.connect().execute("SELECT state FROM pg_stat_activity WHERE pid = \(connection.backendPID)")
            .text(0, 0)
    }

    @Test func installWaitsForAnotherAndThenFindsItDone() async throws {
        let other = TestSession(database.settings())
        let pid = try await other.pid()
        try store.connection.execute("BEGIN")
        try store.connection.execute("SELECT pg_advisory_xact_lock(\(Schema.migrationLock))")
        async let outcome = other.with { connection in Result { try LedgerStore(connection).install() } }
        let watcher = try database.connect()
        try await watcher.awaitBlocked(pid)
        try migrate(through: Schema.version)
        try store.connection.execute("COMMIT")
        let installed = try await outcome
        let made = try installed.get()
        #expect(!made)
        #expect(try store.value("SELECT count(*) FROM coord.migration") == "\(Schema.version)")
    }

    /// Makes the ledger as an older coord left it.
    private func migrate(through version: Int) throws {
        for (index, migration) in Schema.migrations.prefix(version).enumerated() {
            for statement in LedgerStore.statements(migration) { try store.connection.execute(statement) }
            try store.connection.execute("INSERT INTO coord.migration (version) VALUES (\(index + 1))")
        }
    }

    @Test func olderLedgerIsBroughtToThisVersionWithItsRuns() throws {
        try migrate(through: 1)
        let run = try store.createRun(.sample(), plan: .cut(at: []))
        let error = try ledgerError { try store.require() }
        #expect(error.mend == "coord ledger install")
        #expect(try store.install())
        try store.require()
        #expect(try store.run(run).state == .planned)
        #expect(try store.value("SELECT string_agg(version::text, ',' ORDER BY version) FROM coord.migration") == "1,2")
    }

    @Test func concurrentInstallsMakeOneLedger() async throws {
        let sessions = (0..<4).map { _ in TestSession(database.settings()) }
        for session in sessions { _ = try await session.pid() }
        let made = try await withThrowingTaskGroup(of: Bool.self) { group in
            for session in sessions { group.addTask { try await session.with { try LedgerStore($0).install() } } }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(made >= 1)
        #expect(try store.value("SELECT count(*) FROM coord.migration") == "\(Schema.version)")
    }

    @Test func newerLedgerIsRefusedAndLeftAlone() throws {
        try store.install()
        try store.connection.execute("INSERT INTO coord.migration (version) VALUES (\(Schema.version + 1))")
        for attempt in [{ try self.store.require() }, { _ = try self.store.install() }] {
            let error = try ledgerError { try attempt() }
            #expect(error.code == .newer(version: Schema.version + 1))
        }
        #expect(try state(of: store.connection) == "idle")
    }

    @Test func roleThatMayNotMakeTheLedgerIsForbiddenAndWritesNothing() throws {
        let role = try database.makeRole()
        let poor = LedgerStore(try database.connect(role: role))
        let error = try ledgerError { try poor.install() }
        #expect(error.code == .forbidden)
        #expect(error.cause?.sqlState == "42501")
        #expect(error.mend != nil)
        #expect(try store.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'coord'") == "0")
        #expect(try state(of: poor.connection) == "idle")
    }

    @Test func roleThatMayMakeSchemasMayInstall() throws {
        let role = try database.makeRole()
        try store.connection.execute("GRANT CREATE ON DATABASE \(database.name) TO \(role)")
        #expect(try LedgerStore(try database.connect(role: role)).install())
    }

    @Test func ledgerThatARoleMayNotReadIsForbidden() throws {
        try store.install()
        let poor = LedgerStore(try database.connect(role: try database.makeRole()))
        #expect(try ledgerError { try poor.require() }.code == .forbidden)
        try store.connection.execute("GRANT USAGE ON SCHEMA coord TO \(database.role)")
        #expect(try ledgerError { try poor.require() }.code == .forbidden)
        #expect(try ledgerError { try poor.install() }.code == .forbidden)
        try store.connection.execute("GRANT SELECT ON coord.migration TO \(database.role)")
        try poor.require()
    }

    @Test func ledgerIsDroppedWithEverythingInIt() throws {
        try store.drop()
        try store.install()
        _ = try store.createRun(.sample(), plan: .cut(at: ["5"]))
        try store.drop()
        #expect(try store.installedVersion() == 0)
        try store.install()
        #expect(try store.runs().isEmpty)
    }

    @Test func dropIsRefusedWhileACoordinatorOwnsARun() throws {
        try store.install()
        let ownership = try store.ownedRun()
        let error = try ledgerError { try store.drop() }
        #expect(error.code == .owned(by: "host pid 7"))
        #expect(error.mend == "coord cancel \(ownership.run)")
        #expect(try store.run(ownership.run).state == .running)

        try store.forgetSession(of: ownership.run)
        try store.drop()
        #expect(try store.installedVersion() == 0)
    }

    @Test func migrationsSplitIntoSingleStatements() throws {
        try store.install()
        // Each trigger and its function came through whole.
        #expect(
            try store.value("SELECT count(*) FROM pg_trigger WHERE tgname IN ('record_run', 'record_shard')") == "2")
    }
}
