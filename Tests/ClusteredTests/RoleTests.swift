import Testing

@Suite struct RoleTests {
    @Test(arguments: Items.Kind.allCases)
    func roleWithoutSuperuserRightsRunsAJobInALedgerOfItsOwn(kind: Items.Kind) async throws {
        try await Scenario.run { scenario in
            try scenario.program("plus_one.py")
            try await Self.make(scenario, "coord_test_owner")
            try await scenario.session.execute("GRANT CREATE ON DATABASE \(scenario.name) TO coord_test_owner")
            let change =
                kind == .setBased
                ? "set: { n: n + 1 }" : "read: [n]\ncompute: { command: [python3, plus_one.py], writes: [n] }"
            let job = try scenario.job("table: items\n\(change)\n")
            let ended = try await scenario.run(
                "start", job, "--workers", "2", environment: ["PGUSER": "coord_test_owner"])
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await scenario.session.int("SELECT count(*) FROM items WHERE n <> 1") == 0)
        }
    }

    @Test func roleThatMayNotUseTheLedgerIsToldSo() async throws {
        try await Scenario.run { scenario in
            try await Self.make(scenario, "coord_test_stranger")
            let job = try scenario.job("table: items\nset: { n: n + 1 }\n")
            #expect(try await scenario.run("ledger", "install").status == 0)
            for arguments in [["start", job], ["status"], ["cancel", "1"]] {
                let ended = try await scenario.start(
                    TestServer.coord(), arguments, environment: ["PGUSER": "coord_test_stranger"]
                ).ended()
                #expect(ended.status == 4, "\(arguments): \(ended.errors)")
                #expect(ended.output.isEmpty)
            }
            #expect(try await scenario.session.int("SELECT count(*) FROM coord.run") == 0)
        }
    }

    @Test func workerWithoutRightsOrPasswordEndsAsEveryCommandDoes() async throws {
        try await Scenario.run { scenario in
            let role = "role_\(scenario.name)"
            try await Self.make(scenario, role)
            let job = try scenario.job("table: items\nset: { n: n + 1 }\n")
            let endpoint = "ipc://\(scenario.folder)/join"
            let coordinator = try scenario.coord("start", job, "--workers", "0", "--listen", endpoint)
            for (user, words) in [(role, "permission denied for schema coord"), ("nobody_\(role)", "does not exist")] {
                let ended = try await scenario.run("worker", "--connect", endpoint, environment: ["PGUSER": user])
                #expect(ended.status == 4, "\(user): \(ended.errors)")
                #expect(ended.errors.contains(words), "\(user): \(ended.errors)")
            }
            #expect(try await scenario.run("worker", "--connect", endpoint).status == 0)
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            try await scenario.session.execute("DROP OWNED BY \(role) CASCADE", "DROP ROLE \(role)")
        }
    }

    /// The role may have two sessions. The coordinator needs one, so only one worker gets a session.
    @Test func workersBeyondTheRolesConnectionLimitSayWhyTheyWait() async throws {
        try await Scenario.run { scenario in
            let role = "role_\(scenario.name)"
            try await Self.make(scenario, role)
            try await scenario.session.execute(
                "GRANT CREATE ON DATABASE \(scenario.name) TO \(role)", "ALTER ROLE \(role) CONNECTION LIMIT 2",
                // This function makes the run last until the other workers have been heard.
                """
                CREATE FUNCTION slow(n int) RETURNS int LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_sleep(0.05); RETURN n + 1; END $$
                """)
            let job = try scenario.job("table: items\nset: { n: slow(n) }\nbatch: { rows: 5 }\nshards: 4\n")
            let ended = try await scenario.run("start", job, "--workers", "4", environment: ["PGUSER": role])
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(ended.errors.contains("too many connections for role"), "\(ended.errors)")
            #expect(try await scenario.session.int("SELECT count(*) FROM items WHERE n <> 1") == 0)
            try await scenario.session.execute("DROP OWNED BY \(role) CASCADE", "DROP ROLE \(role)")
        }
    }

    private static func make(_ scenario: Scenario, _ role: String) async throws {
        try await scenario.session.execute(
            "CREATE TABLE items (id bigint PRIMARY KEY, n int NOT NULL DEFAULT 0)",
            "INSERT INTO items SELECT generate_series(1, 100)",
            // Roles belong to the whole server, and another test may create this one at the same moment.
            """
            DO $$ BEGIN CREATE ROLE \(role) LOGIN;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$
            """,
            "GRANT SELECT, UPDATE ON items TO \(role)")
    }
}
