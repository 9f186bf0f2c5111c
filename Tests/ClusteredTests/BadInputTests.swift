import Testing

/// A job or command that must be refused before anything is written.
struct Refused: Sendable, CustomTestStringConvertible {
    var job: String
    var status: Int32
    /// Words that the message must contain.
    var names: [String]
    var user: String?

    init(_ job: String, status: Int32 = 2, names: String..., user: String? = nil) {
        self.job = job
        self.status = status
        self.names = names
        self.user = user
    }

    var testDescription: String { job + (user.map { " as \($0)" } ?? "") }
}

@Suite struct BadInputTests {
    @Test(arguments: [
        Refused("table: absent\nset: { n: 1 }", names: "there is no table absent"),
        Refused("table: other.items\nset: { n: 1 }", names: "other.items"),
        Refused(
            "table: Things\nset: { n: 1 }", names: "there is no table things", "public.\"Things\"", "quote capitals"),
        Refused("table: items\nset: { m: 1 }", names: "set: there is no column m", "id, n"),
        Refused("table: items\nread: [m]\ncompute: { transform: passthrough, writes: [n] }", names: "read", "column m"),
        Refused(
            "table: items\nread: [n]\ncompute: { transform: passthrough, writes: [m] }", names: "writes", "column m"),
        Refused("table: items\nkey: m\nset: { n: 1 }", names: "key: there is no column m"),
        Refused("table: items\nwhere: m > 1\nset: { n: 1 }", names: "job.yaml:2:8", "\"m\" does not exist", "^"),
        Refused("table: shown\nset: { n: 1 }", names: "shown is a view"),
        Refused("table: keyless\nset: { n: 1 }", names: "keyless has no primary key"),
        Refused("table: items\nkey: n\nset: { g: 1 }", names: "key n", "no unique index"),
        Refused("table: pairs\nkey: [b, a]\nset: { n: 1 }", names: "another order", "key: [a, b]"),
        Refused("table: pairs\nset: { b: 1 }", names: "b is part of the key"),
        Refused("table: pairs\nkey: a\nset: { n: 1 }", names: "key a", "no unique index"),
        Refused("table: items\nset: { id: 1 }", names: "id is the key"),
        Refused("table: items\nset: { g: 1 }", names: "g is a generated column"),
        Refused("table: parts\nset: { n: 1 }", names: "parts is a partitioned table"),
        Refused("table: pg_catalog.pg_class\nset: { relname: \"'x'\" }", names: "pg_class"),
        Refused("table: items", names: "'set'", "'compute'"),
        Refused(
            "table: items\nread: [n]\nset: { n: 1 }\ncompute: { transform: passthrough, writes: [n] }",
            names: "both 'set' and 'compute'"),
        Refused("table: items\nset: { n: n +* 1 }", names: "job.yaml:2:", "^"),
        Refused("table: items\nset:\n  n: |\n    n +\n    nosuch(1)\n", names: "job.yaml:5:", "nosuch", "^"),
        Refused("table: items\nset: { n: \"'x'::text\" }", names: "set n", "integer"),
        Refused("table: items\nset: { n: 1) }", names: "job.yaml:2:"),
        Refused("table: items\nset: { n: count(*) }", names: "job.yaml:2:", "aggregate"),
        Refused("table: items\nset: { n: 1", names: "job.yaml:", "not closed"),
        Refused("table: items\nset: { n: 1 }\nshard: 3", names: "'shard'", "did you mean 'shards'"),
        Refused("table: items\nset: { n: 1 }\nbatch: { bytes: 1 }", names: "4KiB"),
        Refused("table: items\nset: { n: 1 }\ndatabase: postgresql://me:hunter2@host/x", names: "password"),
        Refused(
            "table: items\nread: [n]\ncompute: { transform: absent, writes: [n] }", names: "absent", "passthrough"),
        Refused(
            "table: items\nset: { n: 1 }", status: 4, names: "may not UPDATE n", "GRANT", user: "coord_test_reader"),
        Refused("table: items\nset: { n: 1 }", status: 4, names: "coord_test_nobody", user: "coord_test_nobody"),
        Refused(
            "table: items\nset: { n: 1 }", status: 4, names: "may not make the ledger", "coord ledger install",
            user: "coord_test_writer"),
    ])
    func jobIsRefusedBeforeAnythingIsWritten(_ case: Refused) async throws {
        try await Scenario.run { scenario in
            try await Self.makeTables(scenario)
            let job = try scenario.job(`case`.job + "\n")
            let environment = `case`.user.map { ["PGUSER": $0] } ?? [:]
            for command in ["plan", "start"] {
                // A plan does not need the ledger.
                if command == "plan", `case`.names[0].contains("ledger") { continue }
                let ended = try await scenario.run(command, job, "--workers", "1", environment: environment)
                #expect(ended.status == `case`.status, "\(command): \(ended.errors)")
                #expect(ended.output.isEmpty)
                for name in `case`.names {
                    #expect(ended.errors.contains(name), "\(command): \(ended.errors)")
                }
                #expect(!ended.errors.contains("hunter2"))
            }
            #expect(try await scenario.session.bool("SELECT to_regnamespace('coord') IS NULL"))
            #expect(try await scenario.session.int("SELECT count(*) FROM items WHERE n <> 0") == 0)
        }
    }

    private static func makeTables(_ scenario: Scenario) async throws {
        try await scenario.session.execute(
            "CREATE TABLE items (id bigint PRIMARY KEY, n int, g int GENERATED ALWAYS AS (n + 1) STORED)",
            "INSERT INTO items SELECT i, 0 FROM generate_series(1, 10) AS i",
            "CREATE TABLE \"Things\" (id bigint PRIMARY KEY, n int)",
            "CREATE TABLE keyless (id bigint, n int)",
            "CREATE TABLE pairs (a int, b int, n int, PRIMARY KEY (a, b))",
            "CREATE TABLE parts (id bigint PRIMARY KEY, n int) PARTITION BY RANGE (id)",
            "CREATE VIEW shown AS SELECT * FROM items",
            // Roles belong to the whole server, and another test may create them at the same moment.
            """
            DO $$ BEGIN CREATE ROLE coord_test_reader LOGIN;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$
            """,
            """
            DO $$ BEGIN CREATE ROLE coord_test_writer LOGIN;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$
            """,
            "GRANT SELECT ON items TO coord_test_reader, coord_test_writer",
            "GRANT UPDATE ON items TO coord_test_writer")
    }

    @Test(arguments: [
        Refused("start job.yaml --workers -1", names: "--workers"),
        Refused("start job.yaml --workers 513", names: "--workers"),
        Refused("start job.yaml --workers many", names: "--workers"),
        Refused("start absent.yaml", names: "absent.yaml", "no such file"),
        Refused("start job.yaml --listen tcp://0.0.0.0:5555", names: "no key is allowed", "coord keys"),
        Refused("start job.yaml --database postgresql://me:hunter2@localhost/x", names: "--database", "password"),
        Refused("start job.yaml --nwe", names: "--nwe"),
        Refused("strat job.yaml", names: "strat"),
        Refused("resume 1", names: "no ledger", "coord start"),
        Refused("status", names: "no ledger", "coord start"),
        Refused("shards 1", names: "no ledger"),
        Refused("cancel 1", names: "no ledger"),
        Refused("cancel one", names: "one"),
        Refused("resume", names: "run"),
        Refused("ledger drop", names: "--yes"),
        Refused("worker --connect nowhere", names: "nowhere", "ipc://"),
    ])
    func commandIsRefusedWithTheThingNamed(_ case: Refused) async throws {
        try await Scenario.run { scenario in
            try await scenario.session.execute("CREATE TABLE items (id bigint PRIMARY KEY, n int)")
            let job = try scenario.job("table: items\nset: { n: 1 }\n")
            let arguments = `case`.job.split(separator: " ").map { $0 == "job.yaml" ? job : String($0) }
            let ended = try await scenario.start(TestServer.coord(), arguments).ended()
            #expect(ended.status == `case`.status)
            #expect(ended.output.isEmpty)
            for name in `case`.names { #expect(ended.errors.contains(name)) }
            #expect(!ended.errors.contains("hunter2"))
            #expect(try await scenario.session.bool("SELECT to_regnamespace('coord') IS NULL"))
        }
    }

    @Test(arguments: ["resume", "status", "shards", "cancel"])
    func unknownRunIsNamed(command: String) async throws {
        try await Scenario.run { scenario in
            #expect(try await scenario.run("ledger", "install").status == 0)
            let ended = try await scenario.run(command, "42")
            #expect(ended.status == 2)
            #expect(ended.output.isEmpty)
            #expect(ended.errors.contains("no run 42"))
        }
    }

    @Test func serverThatCannotBeReachedIsAnErrorWithItsPlace() async throws {
        try await Scenario.run { scenario in
            let job = try scenario.job("table: items\nset: { n: 1 }\n")
            let ended = try await scenario.run("start", job, environment: ["PGPORT": "1"])
            #expect(ended.status == 1)
            #expect(ended.output.isEmpty)
            #expect(ended.errors.contains(".s.PGSQL.1"))
        }
    }
}
