import Testing

@Suite struct LockedOutTests {
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
