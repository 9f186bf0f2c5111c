import Foundation
import Postgres
import Sharding
import Support
import Testing

@testable import Ledger

/// What a member of each group role of a ledger can do and cannot do.
@Suite(.database) struct RolesTests {
    private let database = TestDatabase.current
    private let store: TestLedger
    private let roles: LedgerRoles

    /// The ledger is in a schema of the database's name, since roles belong to the whole server.
    init() throws {
        let schema = try #require(LedgerSchema(database.name))
        store = TestLedger(try database.connect(setup: PostgresSession.ledger), schema: schema)
        roles = try #require(LedgerRoles(of: schema))
    }

    private func connect(as kind: LedgerRoles.Kind) throws -> PostgresConnection {
        let connection = try database.connect(setup: PostgresSession.ledger)
        try connection.execute("SET ROLE \(roles.quoted(kind))")
        return connection
    }

    /// A run with a shard that the first worker has leased, and the table of its job.
    private func makeRun() throws -> Lease {
        let connection = store.connection
        _ = try store.installation.install(roles: true)
        try connection.execute("CREATE TABLE public.items (id bigint PRIMARY KEY, n int, m int)")
        let (coordinator, worker) = (roles.quoted(.coordinator), roles.quoted(.worker))
        try connection.execute("GRANT SELECT (id, n, ctid) ON public.items TO \(coordinator), \(worker)")
        try connection.execute("GRANT UPDATE (n) ON public.items TO \(worker)")
        let ownership = try store.ownedRun(cutAt: ["5"])
        return try #require(try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), ownership)).lease
    }

    private func dropRoles() throws {
        for kind in LedgerRoles.Kind.allCases {
            let found = try store.connection.execute(
                "SELECT FROM pg_roles WHERE rolname = $1", [roles.plain(kind)])
            if found.rows == 0 { continue }
            try store.connection.execute("DROP OWNED BY \(roles.quoted(kind))")
            try store.connection.execute("DROP ROLE \(roles.quoted(kind))")
        }
    }

    // MARK: - The table of the page

    /// A statement that needs what a row of the page's table is about.
    private static func statement(_ what: String, _ ledger: String) -> String? {
        let shard = "1, 0, 1, '\(WorkerID.first)'"
        func member(of role: String) -> String {
            """
            DO $$ BEGIN IF NOT pg_has_role('\(role)', 'USAGE') THEN RAISE insufficient_privilege; END IF; END $$
            """
        }
        return [
            "read runs, shards, attempts, events and workers, as `coord status` does":
                "SELECT r.*, s.*, a.*, e.*, w.*, m.* FROM \(ledger).run AS r, \(ledger).shard AS s, \(ledger).attempt AS a, "
                + "\(ledger).event AS e, \(ledger).worker AS w, \(ledger).migration AS m",
            "read the job of a run, and whether it has a coordinator":
                "SELECT binding, specification, coordinator, lease_until, backend_pid, backend_start FROM \(ledger).run WHERE id = 1",
            "read which worker has a lease": "SELECT owner FROM \(ledger).shard",
            "make a run and its shards":
                "INSERT INTO \(ledger).run (name, definition, directory, fingerprint, table_name, rows_estimated) "
                + "VALUES ('other', '', '', '', '', 0); "
                + "INSERT INTO \(ledger).shard (run_id, id, rows_estimated) VALUES (1, 9, 0)",
            "take a run over; pause, pace or cancel it": "UPDATE \(ledger).run SET term = term + 1, desired = 'paused'",
            "lease a shard, or take a lease back": "UPDATE \(ledger).shard SET epoch = epoch + 1, owner = NULL",
            "note a worker, an attempt or an event":
                "INSERT INTO \(ledger).worker (run_id, id, host, pid) VALUES (1, '\(WorkerID.second)', 'host', 1); "
                + "INSERT INTO \(ledger).attempt (run_id, shard_id, epoch, worker) VALUES (1, 1, 9, '\(WorkerID.second)'); "
                + "INSERT INTO \(ledger).event (run_id, kind) VALUES (1, 'x')",
            "change or delete an event": "UPDATE \(ledger).event SET kind = kind",
            "delete a run": "DELETE FROM \(ledger).run",
            "open a lease": "SELECT \(ledger).open_lease(\(shard), now())",
            "lock a shard for a batch": "SELECT \(ledger).fence(\(shard), 0)",
            "count a batch and move the cursor of its shard":
                "SELECT \(ledger).advance(\(shard), 0, true, '{3}', NULL, NULL, NULL, 3, 0, NULL, false)",
            "change the ledger's tables or functions": "ALTER TABLE \(ledger).run ADD x int",
            "make anything in the ledger's schema": "CREATE TABLE \(ledger).mine ()",
            "see the sessions of other roles": member(of: "pg_read_all_stats"),
            "end a stuck session": member(of: "pg_signal_backend"),
            "read the job's columns of its table": "SELECT id, n, ctid FROM public.items",
            "change the columns that the job writes": "UPDATE public.items SET n = n + 1 WHERE id > 0",
            "change other columns of the table": "UPDATE public.items SET m = 1",
            "insert or delete rows of the table": "INSERT INTO public.items (id) VALUES (1)",
        ][what]
    }

    /// The rows of the page's table: what, and who may.
    private static let page: [(what: String, may: [Bool])] = {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/operating/roles.md")
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let head = lines.firstIndex(of: "| what | coordinator | worker | viewer |") else { return [] }
        return lines[(head + 2)...].prefix { $0.hasPrefix("|") }.map { line in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            return (cells[0], cells.dropFirst().map { $0 == "yes" })
        }
    }()

    @Test(arguments: LedgerRoles.Kind.allCases) func roleMayWhatThePageSaysAndNothingElse(_ kind: LedgerRoles.Kind)
        throws
    {
        _ = try makeRun()
        #expect(Self.page.count == 20)
        let place = try #require([.coordinator, .worker, .viewer].firstIndex(of: kind))
        let connection = try connect(as: kind)
        for (what, may) in Self.page {
            let sql = try #require(Self.statement(what, store.schema.quoted), "\(what) has no statement")
            try connection.execute(script: "BEGIN")
            var code: String?
            do { try connection.execute(script: sql) } catch { code = error.sqlState }
            try connection.execute(script: "ROLLBACK")
            #expect(code == (may[place] ? nil : "42501"), "\(kind): \(what)")
        }
    }

    // MARK: - The functions

    @Test func workersOwnCallsNeedNoOtherRight() throws {
        let lease = try makeRun()
        let run = RunID(1)
        try store.connection.execute(
            "UPDATE \(store.schema).run SET binding = '{}', specification = '{}'")
        // An account, since a session sees only its own account's sessions whole.
        let account = try database.makeRole()
        try store.connection.execute("GRANT \(roles.quoted(.worker)) TO \(account)")
        let connection = try database.connect(role: account, setup: PostgresSession.ledger)
        let worker = WorkerLedger(connection, schema: store.schema)
        #expect(try worker.assignment(of: run).binding == "{}")
        #expect(try worker.enter(run, applicationName: "coord test"))
        let opening = try #require(try worker.open(lease, owner: .first, run: run, keyColumns: 1))
        #expect(opening.range.through == "5")
        #expect(
            try store.value("SELECT backend_pid FROM \(store.schema).shard WHERE id = 0") == "\(connection.backendPID)")
        #expect(
            try store.value(
                """
                SELECT s.backend_start = a.backend_start FROM \(store.schema).shard AS s JOIN pg_stat_activity AS a
                ON a.pid = s.backend_pid WHERE s.id = 0
                """) == "t")
    }

    @Test(arguments: [
        "2, 0, 1, '\(WorkerID.first)', 0", "1, 1, 1, '\(WorkerID.first)', 0", "1, 0, 0, '\(WorkerID.first)', 0",
        "1, 0, 2, '\(WorkerID.first)', 0", "1, 0, 1, '\(WorkerID.second)', 0", "1, 0, 1, NULL, 0",
        "1, 0, 1, '\(WorkerID.first)', 1",
    ]) func whoHasNotTheLeaseChangesNothing(_ proof: String) throws {
        _ = try makeRun()
        let all = "SELECT string_agg(s::text, ';' ORDER BY id) FROM \(store.schema).shard AS s"
        let before = try store.value(all)
        let connection = try connect(as: .worker)
        let found = try connection.execute("SELECT id FROM \(store.schema).fence(\(proof)) WHERE id IS NOT NULL")
        #expect(found.rows == 0)
        let error = try postgresError {
            try connection.execute(
                "SELECT \(store.schema).advance(\(proof), true, '{3}', NULL, NULL, NULL, 3, 0, NULL, true)")
        }
        #expect(error.sqlState == "40001" && error.recovery == .retry)
        #expect(try store.value(all) == before)
    }

    @Test func functionsCallNobodysOperatorsWithTheOwnersRights() throws {
        _ = try makeRun()
        let connection = store.connection
        let worker = roles.quoted(.worker)
        try connection.execute("GRANT CREATE, USAGE ON SCHEMA public TO \(worker)")
        let attacker = try connect(as: .worker)
        try attacker.execute("CREATE TABLE public.caught (who name)")
        try attacker.execute("GRANT INSERT ON public.caught TO public")
        for (name, parameters, result, body) in [
            ("cardinality", "text[]", "int", "0"), ("pg_backend_pid", "", "int", "0"),
            ("int8eq_mine", "bigint, bigint", "boolean", "true"),
        ] {
            try attacker.execute(
                """
                CREATE FUNCTION public.\(name)(\(parameters)) RETURNS \(result) LANGUAGE plpgsql AS
                $$ BEGIN INSERT INTO public.caught VALUES (current_user); RETURN \(body); END $$
                """)
        }
        try attacker.execute(
            "CREATE OPERATOR public.= (FUNCTION = public.int8eq_mine, LEFTARG = bigint, RIGHTARG = bigint)")
        try attacker.execute("SET search_path = public, pg_catalog")
        // The control: under this path they are called.
        try attacker.execute("SELECT cardinality('{}'::text[]), pg_backend_pid(), 1::bigint = 2::bigint")
        #expect(try store.value("SELECT count(*) FROM public.caught") == "3")
        let proof = "1, 0, 1, '\(WorkerID.first)'"
        for call in [
            "open_lease(\(proof), now())", "fence(\(proof), 0)",
            "advance(\(proof), 0, true, '{3}', NULL, NULL, NULL, 3, 0, NULL, true)",
        ] {
            #expect(try attacker.execute("SELECT * FROM \(store.schema).\(call)").rows == 1)
        }
        #expect(try store.value("SELECT count(*) FROM public.caught") == "3")
        #expect(try store.value("SELECT state FROM \(store.schema).shard WHERE id = 0") == "done")
    }

    // MARK: - Installing

    private func rights() throws -> String? {
        try store.value(
            """
            SELECT string_agg(o, ' ' ORDER BY o) FROM (
                SELECT relname || relacl::text AS o FROM pg_class WHERE relnamespace = '\(store.schema)'::regnamespace
                UNION ALL SELECT proname || proacl::text FROM pg_proc WHERE pronamespace = '\(store.schema)'::regnamespace
                UNION ALL SELECT attname || attacl::text FROM pg_attribute WHERE attrelid = '\(store.schema).run'::regclass
            ) AS r
            """)
    }

    @Test func dryRunSaysWhatIsRunAndChangesNothing() throws {
        try dropRoles()
        let script = try store.installation.script(roles: true)
        #expect(script.statements.count { $0.hasPrefix("CREATE ROLE") } == 3)
        #expect(try store.installation.installedVersion() == 0)
        #expect(try store.value("SELECT count(*) FROM pg_roles WHERE rolname = '\(roles.plain(.worker))'") == "0")
        #expect(try store.installation.install(roles: true) == script)
        #expect(try store.installation.installedVersion() == Schema.version)
        #expect(
            try store.value("SELECT rolcanlogin FROM pg_roles WHERE rolname = '\(roles.plain(.worker))'") == "f")
    }

    @Test func installingAgainChangesNothingAndTakesSurplusRightsAway() throws {
        _ = try store.installation.install(roles: true)
        let before = try rights()
        let again = try store.installation.install(roles: true)
        #expect(!again.changesLedger && !again.statements.contains { $0.hasPrefix("CREATE") })
        #expect(try rights() == before)
        try store.connection.execute("GRANT UPDATE ON \(store.schema).shard TO \(roles.quoted(.worker))")
        #expect(try rights() != before)
        _ = try store.installation.install(roles: true)
        #expect(try rights() == before)
    }

    @Test func accountOfTheNameIsNoGroup() throws {
        try dropRoles()
        try store.connection.execute("CREATE ROLE \(roles.quoted(.worker)) LOGIN")
        let error = try ledgerError { _ = try store.installation.install(roles: true) }
        #expect(error.code == .foreign && error.message.contains("\(roles.plain(.worker)) can log in"))
        #expect(try store.installation.installedVersion() == 0)
        try dropRoles()
    }

    @Test func onlyWhoOwnsTheLedgerAndMayMakeRolesInstallsThem() throws {
        try dropRoles()
        let role = try database.makeRole()
        try store.connection.execute("GRANT CREATE ON DATABASE \(database.name) TO \(role)")
        let owner = TestLedger(try database.connect(role: role, setup: PostgresSession.ledger), schema: store.schema)
        let error = try ledgerError { _ = try owner.installation.install(roles: true) }
        #expect(error.code == .forbidden && error.message.contains("may not make roles"))
        #expect(error.mend?.contains("CREATE ROLE \(roles.quoted(.viewer)) NOLOGIN") == true)
        #expect(try store.installation.installedVersion() == 0)
        _ = try store.installation.install(roles: true)
        let foreign = try ledgerError { _ = try owner.installation.install(roles: true) }
        #expect(foreign.code == .forbidden)
    }

    @Test func nameThatNoRoleCanHaveIsRefused() throws {
        let schema = try #require(LedgerSchema(String(repeating: "x", count: 52)))
        #expect(LedgerRoles(of: schema) == nil)
        let error = try ledgerError {
            _ = try LedgerInstallation(store.connection, schema: schema).install(roles: true)
        }
        #expect(error.code == .foreign && error.message.contains("too long"))
    }

    @Test func roleWithRightsOnTheTableItselfGoesOnAfterAnUpdate() throws {
        let role = try database.makeRole()
        try store.connection.execute("GRANT CREATE ON DATABASE \(database.name) TO \(role)")
        let owner = try database.connect(role: role, setup: PostgresSession.ledger)
        for (index, migration) in Schema.migrations(in: store.schema).prefix(6).enumerated() {
            try owner.execute(script: migration)
            try owner.execute("INSERT INTO \(store.schema).migration (version) VALUES (\(index + 1))")
        }
        try store.connection.execute(
            "DO $$ BEGIN CREATE ROLE \(roles.quoted(.worker)); EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        try owner.execute("GRANT UPDATE ON \(store.schema).shard TO \(roles.quoted(.worker))")
        // By a superuser, whose rights the functions must not have.
        #expect(try store.installation.install())
        for function in Schema.workerFunctions(in: store.schema) {
            let found = try store.connection.execute(
                "SELECT has_function_privilege($1, $2, 'EXECUTE'), has_function_privilege('pg_monitor', $2, 'EXECUTE')",
                [roles.plain(.worker), function])
            #expect(found.bool(0, 0) == true && found.bool(0, 1) == false, "\(function)")
        }
        #expect(
            try store.value(
                """
                SELECT string_agg(DISTINCT pg_get_userbyid(proowner), ',') FROM pg_proc
                WHERE pronamespace = '\(store.schema)'::regnamespace
                """) == role)
    }

    // MARK: - What is refused

    @Test func viewerIsToldWhatItMayNotAndWhoMay() throws {
        _ = try makeRun()
        let viewer = TestLedger(try connect(as: .viewer), schema: store.schema)
        #expect(try viewer.reader.runs().count == 1)
        let refusals: [(String, () throws -> Void)] = [
            ("run 1 was not paused", { _ = try viewer.control.pause(RunID(1), from: "host") }),
            ("run 1 was not cancelled", { _ = try viewer.cancellation.cancel(RunID(1)) }),
            (
                "run 1 was not taken up",
                { _ = try viewer.coordinator.takeOver(RunID(1), as: .rival, host: "h", pid: 1) }
            ),
            ("nothing was started", { _ = try viewer.coordinator.createRun(.sample("b"), plan: .cut(at: [])) }),
        ]
        for (words, refused) in refusals {
            let error = try ledgerError { try refused() }
            #expect(error.code == .forbidden && error.message.hasPrefix(words), "\(error)")
            #expect(error.mend?.contains("GRANT \(roles.quoted(.coordinator)) TO it") == true)
        }
        let error = try ledgerError { _ = try viewer.worker.assignment(of: RunID(1)) }
        #expect(error.code == .forbidden && error.mend?.contains("GRANT \(roles.quoted(.worker)) TO it") == true)
        let worker = TestLedger(try connect(as: .worker), schema: store.schema)
        let unread = try ledgerError { try worker.installation.require() }
        #expect(unread.code == .forbidden && unread.mend?.contains("GRANT \(roles.quoted(.viewer)) TO it") == true)
    }
}
