import Foundation
import Postgres
import Sharding
import Support
import Testing

@testable import Ledger

@Suite(.database) struct MigrationTests {
    private let database = TestDatabase.current
    private let store: TestLedger

    init() throws { store = TestLedger(try database.connect()) }

    @Test func ledgerIsInstalledOnceAndStays() throws {
        #expect(try store.installation.installedVersion() == 0)
        #expect(try store.installation.install())
        #expect(try store.installation.installedVersion() == Schema.version)
        try store.installation.require()
        #expect(try !store.installation.install())
        #expect(try store.value("SELECT count(*) FROM coord.migration") == "\(Schema.version)")
    }

    @Test func missingLedgerIsSaidWithTheWayOn() throws {
        let error = try ledgerError { try store.installation.require() }
        #expect(error.code == .notInstalled)
        #expect(error.mend?.contains("coord ledger install") == true)
    }

    /// The state of a session as another session sees it: idle, unless a transaction was left open.
    private func state(of connection: PostgresConnection) throws -> String? {
        try database.connect().execute("SELECT state FROM pg_stat_activity WHERE pid = \(connection.backendPID)")
            .text(0, 0)
    }

    @Test func installWaitsForAnotherAndThenFindsItDone() async throws {
        let other = TestSession(database.settings())
        let pid = try await other.pid()
        try store.connection.execute("BEGIN")
        try store.connection.execute("SELECT pg_advisory_xact_lock(\(Schema.migrationLock(of: .standard)))")
        async let outcome = other.with { connection in Result { try LedgerInstallation(connection).install() } }
        let watcher = try database.connect()
        try await watcher.awaitBlocked(pid)
        try migrate(through: Schema.version)
        try store.connection.execute("COMMIT")
        let installed = try await outcome
        let made = try installed.get()
        #expect(!made)
        #expect(try store.value("SELECT count(*) FROM coord.migration") == "\(Schema.version)")
    }

    /// Installs the ledger as an older coord left it.
    private func migrate(through version: Int) throws {
        for (index, migration) in Schema.migrations(in: .standard).prefix(version).enumerated() {
            try store.connection.execute(script: migration)
            try store.connection.execute("INSERT INTO coord.migration (version) VALUES (\(index + 1))")
        }
    }

    /// Inserts a run as coord wrote it before version 3. Its coordinator is `.coordinator`, which is gone.
    private func insertOldRun(_ name: String, desired: String = "running") throws -> RunID {
        let sql = """
            WITH run AS (
                INSERT INTO coord.run (name, definition, directory, fingerprint, table_name, rows_estimated, state,
                    desired, term, coordinator, coordinator_host, coordinator_pid, backend_pid, backend_start,
                    lease_until)
                VALUES ($1, 'table: items', '/jobs', 'f1', 'public.items', 20, 'running', $2, 1, $3::uuid, 'host', 7,
                    1, '2000-01-01', now() + interval '1 hour') RETURNING id
            ), shards AS (
                INSERT INTO coord.shard (run_id, id, after_key, through_key, rows_estimated, state, epoch, owner,
                    checkpoint, sequence, rows_done)
                SELECT id, 0, NULL::text[], ARRAY['5'], 10, 'running', 3, $4::uuid, ARRAY['2'], 4, 2 FROM run
                UNION ALL SELECT id, 1, ARRAY['5'], NULL, 10, 'pending', 0, NULL, NULL, 0, 0 FROM run
            )
            SELECT id FROM run
            """
        let parameters = [name, desired, WorkerID.coordinator.rawValue, WorkerID.first.rawValue]
        return RunID(try store.connection.execute(sql, parameters).int(0, 0) ?? 0)
    }

    @Test(arguments: 1..<Schema.version) func olderLedgerIsBroughtToThisVersionAndItsRunGoesOn(_ version: Int) throws {
        try migrate(through: version)
        let run = try insertOldRun("job")
        let error = try ledgerError { try store.installation.require() }
        #expect(error.mend == "coord ledger install")
        #expect(try store.installation.install())
        try store.installation.require()
        let versions = (1...Schema.version).map(String.init).joined(separator: ",")
        #expect(
            try store.value("SELECT string_agg(version::text, ',' ORDER BY version) FROM coord.migration") == versions)
        let record = try store.reader.run(run)
        #expect(record.state == .running && record.coordinator == nil)
        // The migration to version 3 counts the shards of older runs.
        #expect(try store.value("SELECT shards FROM coord.run") == (version < 3 ? "2" : nil))
        #expect(try ledgerError { _ = try store.worker.assignment(of: run) }.code == .wrongState("unresolved"))
        let definition = try store.reader.run(run).definition
        #expect(definition.tableOID == nil && definition.binding == nil && definition.endKey == nil)
        #expect(definition.settings.isEmpty && definition.batchRows == nil)

        let ownership = try store.coordinator.takeOver(run, as: .rival, host: "other", pid: 8)
        #expect(ownership.term == 2)
        let leased = try #require(try store.coordinator.lease(ShardID(0), to: .second, after: Epoch(3), ownership))
        #expect(leased.lease.epoch == Epoch(4) && leased.sequence == 4)
        #expect(
            try store.worker.open(leased.lease, owner: .second, run: run, keyColumns: 1)?.position.cursor
                == Cursor("2"))
        _ = try store.coordinator.recordAttempt(
            leased.lease, worker: .second, outcome: "unfit", error: "old", permanent: false, attempts: 5, ownership)
        #expect(try store.attempts(of: run) == ["0 4 unfit true"])
        #expect(try store.events(of: run).suffix(1) == ["lease_unfit 0"])
    }

    @Test func triggersOfAMigratedLedgerAreThoseOfANewOne() throws {
        let catalogue = """
            SELECT string_agg(t.tgname::text || t.tgenabled::text || p.prosrc || p.proconfig::text, ' ' ORDER BY t.tgname)
            FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
            JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = 'coord'
            """
        try store.installation.install()
        let new = try #require(try store.value(catalogue))
        for trigger in ["record_runA", "record_shardA", "record_lease_endA"] { #expect(new.contains(trigger)) }
        #expect(new.components(separatedBy: "search_path=pg_catalog, pg_temp").count == 5)
        try store.installation.drop()
        try migrate(through: 2)
        _ = try insertOldRun("job")
        try store.installation.install()
        #expect(try store.value(catalogue) == new)
    }

    @Test func concurrentInstallsMakeOneLedger() async throws {
        let sessions = (0..<4).map { _ in TestSession(database.settings()) }
        for session in sessions { _ = try await session.pid() }
        let made = try await withThrowingTaskGroup(of: Bool.self) { group in
            for session in sessions {
                group.addTask { try await session.with { try LedgerInstallation($0).install() } }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(made >= 1)
        #expect(try store.value("SELECT count(*) FROM coord.migration") == "\(Schema.version)")
    }

    @Test func newerLedgerIsRefusedAndLeftAlone() throws {
        try store.installation.install()
        try store.connection.execute("INSERT INTO coord.migration (version) VALUES (\(Schema.version + 1))")
        for attempt in [{ try self.store.installation.require() }, { _ = try self.store.installation.install() }] {
            let error = try ledgerError { try attempt() }
            #expect(error.code == .newer(version: Schema.version + 1))
        }
        #expect(try state(of: store.connection) == "idle")
    }

    @Test func roleThatMayNotMakeTheLedgerIsForbiddenAndWritesNothing() throws {
        let role = try database.makeRole()
        let poor = TestLedger(try database.connect(role: role))
        let error = try ledgerError { try poor.installation.install() }
        #expect(error.code == .forbidden)
        #expect(error.cause?.sqlState == "42501")
        #expect(error.mend != nil)
        #expect(try store.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'coord'") == "0")
        #expect(try state(of: poor.connection) == "idle")
    }

    @Test func roleThatMayMakeSchemasMayInstall() throws {
        let role = try database.makeRole()
        try store.connection.execute("GRANT CREATE ON DATABASE \(database.name) TO \(role)")
        #expect(try LedgerInstallation(try database.connect(role: role)).install())
    }

    @Test func ledgerThatARoleMayNotReadIsForbidden() throws {
        try store.installation.install()
        let poor = TestLedger(try database.connect(role: try database.makeRole()))
        #expect(try ledgerError { try poor.installation.require() }.code == .forbidden)
        try store.connection.execute("GRANT USAGE ON SCHEMA coord TO \(database.role)")
        #expect(try ledgerError { try poor.installation.require() }.code == .forbidden)
        #expect(try ledgerError { try poor.installation.install() }.code == .forbidden)
        try store.connection.execute("GRANT SELECT ON coord.migration TO \(database.role)")
        try poor.installation.require()
    }

    @Test(arguments: [
        "CREATE TABLE coord.points (x int)", "CREATE VIEW coord.v AS SELECT 1",
        "CREATE FUNCTION coord.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TABLE coord.migration (version int, applied_at timestamptz)",
    ])
    func schemaOfSomebodyElseIsToldAndLeftAlone(_ content: String) throws {
        try store.connection.execute("CREATE SCHEMA coord")
        try store.connection.execute(content)
        for attempt in [
            { _ = try self.store.installation.install() }, { try self.store.installation.require() },
            { try self.store.installation.drop() },
        ] {
            let error = try ledgerError { try attempt() }
            #expect(error.code == .foreign)
            #expect(error.message.contains("it holds"))
        }
        #expect(try store.value("SELECT count(*) FROM pg_class WHERE relname IN ('run', 'shard')") == "0")
        #expect(try state(of: store.connection) == "idle")
    }

    @Test func emptySchemaOfThatNameIsTaken() throws {
        try store.connection.execute("CREATE SCHEMA coord")
        #expect(try store.installation.install())
    }

    @Test func tableThatOnlyHasTheNameOfAMigrationIsForeign() throws {
        try store.installation.install()
        try store.connection.execute("ALTER TABLE coord.migration RENAME version TO revision")
        #expect(try ledgerError { try store.installation.require() }.code == .foreign)
    }

    @Test func ledgerIsDroppedWithEverythingInIt() throws {
        try store.installation.drop()
        try store.installation.install()
        _ = try store.coordinator.createRun(.sample(), plan: .cut(at: ["5"]))
        try store.installation.drop()
        #expect(try store.installation.installedVersion() == 0)
        try store.installation.install()
        #expect(try store.reader.runs().isEmpty)
    }

    @Test func dropIsRefusedWhileACoordinatorOwnsARun() throws {
        try store.installation.install()
        let ownership = try store.ownedRun()
        let error = try ledgerError { try store.installation.drop() }
        #expect(error.code == .owned(by: "host pid 7"))
        #expect(error.mend == "coord cancel \(ownership.run)")
        #expect(try store.reader.run(ownership.run).state == .running)

        try store.forgetSession(of: ownership.run)
        try store.installation.drop()
        #expect(try store.installation.installedVersion() == 0)
    }

    @Test func migrationsSplitIntoSingleStatements() throws {
        try store.installation.install()
        // Each trigger and its function came through whole.
        #expect(
            try store.value("SELECT count(*) FROM pg_trigger WHERE tgname IN ('record_run', 'record_shard')") == "2")
    }
}
