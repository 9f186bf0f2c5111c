import Support
import Testing

/// Foreign settings of a role, a database or a server change no value and stop no run.
@Suite struct ForeignSettingTests {
    /// Settings of a role, each of which changes the text form of values or the end of a session.
    static let settings = [
        "datestyle = 'SQL, DMY'", "intervalstyle = 'sql_standard'", "timezone = 'Asia/Kolkata'",
        "extra_float_digits = -15",
        "bytea_output = 'escape'", "xmlbinary = 'hex'", "quote_all_identifiers = on", "array_nulls = off",
        "default_transaction_isolation = 'serializable'", "default_transaction_deferrable = on",
        "statement_timeout = '1ms'", "lock_timeout = '1ms'", "idle_in_transaction_session_timeout = '1ms'",
        "search_path = 'nowhere'", "standard_conforming_strings = off", "enable_indexscan = off", "work_mem = '64kB'",
        "client_encoding = 'LATIN1'", "row_security = off", "synchronous_commit = off",
        "plan_cache_mode = 'force_custom_plan'",
    ]

    @Test func passthroughChangesNoValueWhateverTheRoleHasSet() async throws {
        try await Scenario.run { scenario in
            let session = scenario.session
            let role = "role_\(scenario.name)"
            try await session.execute(
                """
                CREATE TABLE public.things (id int PRIMARY KEY, a timestamptz, b timestamp, c date, d interval, e float8, f real,
                    g bytea, h xml, i numeric, j timetz, k regclass, l "char", m int[], n text[], o timestamptz[], p money,
                    q jsonb, r tstzrange, s bit(3), t varchar(5), u char(5), v name, w inet, x point, y tsvector, z uuid)
                """,
                """
                INSERT INTO public.things SELECT i, '2024-03-04 05:06:07.123456+00'::timestamptz + i * interval '1 day',
                    '2024-03-04 05:06:07.123456', '2024-03-04', interval '-1 year 2 months -3 days 04:05:06.789',
                    0.1::float8 + i / 3.0, 0.1::real + i / 7.0, '\\x00ff5c27', '<a b="ü">&lt;</a>', 1234567890.12345678901234567890 + i,
                    '04:05:06.789+05:30', CASE WHEN i % 2 = 0 THEN 'pg_class'::regclass ELSE '-' END, 'x',
                    '{1,NULL,3}', '{"a b","NULL",NULL,"","q\\"x\\\\"}', '{"2024-03-04 05:06:07+00"}', 12.34,
                    '{"a": [1, null, "ü"]}', '[2024-03-04,2024-05-06)', B'101', 'ab', 'ab ', 'Some Name', '10.0.0.0/8', '(1.1,-2.2)',
                    'fat:1 rat:2A', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
                FROM generate_series(1, 40) AS i
                """, "CREATE TABLE before AS SELECT * FROM public.things", "CREATE ROLE \(role) LOGIN SUPERUSER")
            for setting in Self.settings { try await session.execute("ALTER ROLE \(role) SET \(setting)") }
            let columns = "abcdefghijklmnopqrstuvwxyz".map { String($0) }.joined(separator: ", ")
            let job = try scenario.job(
                """
                table: public.things
                read: [\(columns)]
                compute: { transform: passthrough, writes: [\(columns)] }
                batch: { rows: 15 }

                """)
            let ended = try await scenario.run("start", job, "--workers", "2", environment: ["PGUSER": role])
            #expect(ended.status == 0, "\(ended.errors)")
            let changed = try await session.int(
                "SELECT count(*) FROM public.things AS after JOIN before USING (id) WHERE after::text IS DISTINCT FROM before::text"
            )
            #expect(changed == 0)
            #expect(try await session.int("SELECT sum(rows_done) FROM coord.shard") == 40)
            try await session.execute("DROP OWNED BY \(role)", "DROP ROLE \(role)")
        }
    }

    /// The program is slower than the role's idle timeout allows.
    @Test func idleTimeoutOfTheRoleEndsNoSession() async throws {
        try await Scenario.run { scenario in
            guard try await scenario.session.int("SHOW server_version_num") >= 140_000 else { return }
            let items = try await Items.make(scenario, rows: 20)
            let role = "role_\(scenario.name)"
            try await scenario.session.execute(
                "CREATE ROLE \(role) LOGIN SUPERUSER", "ALTER ROLE \(role) SET idle_session_timeout = '300ms'")
            try scenario.program("slow_plus_one.py")
            let ended = try await scenario.run(
                "start", try items.programJob("python3, slow_plus_one.py", batch: 10, shards: 1), "--workers", "1",
                environment: ["PGUSER": role])
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await items.violations(run: try await scenario.newestRun()) == [])
            try await scenario.session.execute("DROP OWNED BY \(role)", "DROP ROLE \(role)")
        }
    }

    /// Copies the database by the server's own programs, since older versions refuse a newer server. It uses a file,
    /// since a pipe would hide a failure of the first program.
    private static func copying(_ database: String, to copy: String, in folder: String) -> String {
        """
        programs=${COORD_TEST_PGBIN:+$COORD_TEST_PGBIN/}
        "${programs}pg_dump" -f '\(folder)/copy.sql' \(database) && "${programs}psql" -qX -v ON_ERROR_STOP=1 -f '\(folder)/copy.sql' \(copy)
        """
    }

    /// After a reconnect the same name leads to a copy of the database. The worker must write nothing there.
    @Test(arguments: Items.Kind.allCases) func workerWritesNothingInACopyOfTheDatabase(kind: Items.Kind) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 400)
            let copy = "copy_\(scenario.name)"
            func point(to database: String) throws { try scenario.write("[app]\ndbname=\(database)\n", to: "services") }
            try point(to: scenario.name)
            let gate = try await items.closeGate()
            let coordinator = try scenario.coord(
                "start", try items.job(kind, batch: 20, shards: 4), "--workers", "2", "--json",
                environment: ["PGSERVICEFILE": "\(scenario.folder)/services", "PGSERVICE": "app", "PGDATABASE": ""])
            try await gate.reached(by: 1)
            try point(to: copy)
            // The copy has the ledger with its leases, like a database that was restored from a backup.
            let maker = scenario.connect(to: "postgres")
            try await maker.execute("CREATE DATABASE \(copy)")
            let copied = try await scenario.start(
                "/bin/sh", ["-c", Self.copying(scenario.name, to: copy, in: scenario.folder)]
            ).ended()
            #expect(copied.status == 0, "\(copied.errors)")
            try await scenario.session.execute(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name LIKE 'coord run%'
                """)
            try await eventually("a worker says where it is led to") {
                coordinator.output.contains("goes to another database")
            }
            try point(to: scenario.name)
            await gate.open()
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await items.violations(run: try await scenario.newestRun()) == [])
            let other = scenario.connect(to: copy)
            #expect(try await other.int("SELECT count(*) FROM items WHERE n <> 0") == 0)
            await other.close()
            try await maker.execute("DROP DATABASE \(copy) WITH (FORCE)")
        }
    }
}
