import Testing

@Suite struct LockedOutTests {
    @Test func runGoesOnByItselfWhenTheServerTakesWritesAgain() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 2_000, pace: 0.02)
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "2")
            let run = try await scenario.newestRun()
            try await eventually("a part of the rows is done") { try await scenario.rowsDone(run) >= 200 }
            let setting = "ALTER DATABASE \(scenario.name)"
            try await scenario.session.execute(
                "\(setting) SET default_transaction_read_only = on",
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                """)
            try await eventually("the coordinator says why", within: .seconds(20)) {
                coordinator.errors.contains("the database is read-only, trying again: ")
            }
            try await scenario.session.execute("\(setting) RESET default_transaction_read_only")
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await items.violations(run: run) == [])
        }
    }

    @Test func planBehindAnUncommittedAlterTableNamesWhoHoldsTheLock() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 100)
            let other = scenario.connect()
            try await other.execute("SET application_name = 'migration'")
            try await other.execute("BEGIN")
            try await other.execute("ALTER TABLE items ADD COLUMN later int")
            let pid = try await other.int("SELECT pg_backend_pid()")
            let ended = try await scenario.run("plan", try items.setJob())
            #expect(ended.status == 1)
            let line = try #require(ended.errors.split(separator: "\n").first { $0.contains("public.items: ") })
            #expect(line.hasPrefix("  public.items: AccessExclusiveLock held by pid \(pid), user "), "\(ended.errors)")
            #expect(line.contains("application migration"))
            #expect(line.contains("idle in transaction, since 2"))
            try await other.execute("ROLLBACK")
        }
    }
}
