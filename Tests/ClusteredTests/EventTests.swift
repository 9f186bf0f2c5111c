import Testing

@Suite struct EventTests {
    @Test func everyChangeOfStateLeavesAnEvent() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 400)
            #expect(try await scenario.run("start", try items.setJob(shards: 4), "--workers", "2").status == 0)
            let counted = try await scenario.session.execute("SELECT kind, count(*) FROM coord.event GROUP BY kind")
            let kinds = Dictionary(uniqueKeysWithValues: counted.map { ($0[0] ?? "", $0[1] ?? "") })
            #expect(
                kinds == [
                    "run_planned": "1", "coordinator_took_over": "1", "run_running": "1", "shard_leased": "4",
                    "shard_done": "4", "lease_done": "4", "run_complete": "1",
                ])
            let attempts = try await scenario.session.execute(
                "SELECT outcome, count(*), bool_and(ended_at >= started_at) FROM coord.attempt GROUP BY outcome")
            #expect(attempts == [["done", "4", "t"]])
            let order = try await scenario.session.execute("SELECT kind FROM coord.event ORDER BY id")
            #expect(order.first == ["run_planned"])
            #expect(order.last == ["run_complete"])
            #expect(try await items.violations(run: 1) == [])
        }
    }

    @Test func failureResumeAndCancellationLeaveEvents() async throws {
        try await Scenario.run { scenario in
            _ = try await Items.make(scenario, rows: 40)
            let job = try scenario.job("table: items\nset: { n: 1 / (id - id)::int }\nshards: 1\n")
            #expect(try await scenario.run("start", job, "--workers", "1").status == 3)
            #expect(try await scenario.run("resume", "1", "--workers", "1").status == 3)
            #expect(try await scenario.run("cancel", "1").status == 0)
            let kinds = try await scenario.session.execute(
                "SELECT kind FROM coord.event WHERE kind NOT LIKE 'coordinator%' ORDER BY id")
            #expect(
                kinds.map { $0[0] } == [
                    "run_planned", "run_running", "shard_leased", "shard_failed", "lease_failed", "run_failed",
                    "run_running", "shard_pending", "shard_leased", "shard_failed", "lease_failed", "run_failed",
                    "run_cancelled", "asked_cancelled",
                ])
        }
    }
}
