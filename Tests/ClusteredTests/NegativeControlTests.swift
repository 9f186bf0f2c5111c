import Glibc
import Support
import Testing

/// Each test switches one safety mechanism off in a worker, and the oracle must notice. Needs a debug build of coord.
@Suite struct NegativeControlTests {
    @Test(arguments: Items.Kind.allCases)
    func withoutTheFenceAWorkerThatWakesGoesOn(_ kind: Items.Kind) async throws {
        try await Scenario.run { scenario in
            let zombie = try await Zombie.wake(in: scenario, kind, fence: .open)
            do {
                try await eventually("its batch has an effect") {
                    try await !zombie.items.violations(run: zombie.run).isEmpty
                }
            } catch { throw LiveProcess.Stuck(output: zombie.process.errors) }
            // With `compute`, the rows of this batch are still compared, so the batch changes only the ledger. A `set`
            // batch changes rows again.
            guard kind == .setBased else { return }
            #expect(try await scenario.session.int("SELECT count(*) FROM items WHERE n = 2") > 0)
        }
    }

    @Test(arguments: [nil, "checkpoint"])
    func onlyTheCheckpointKeepsTheNextWorkerFromTheBatchesOfAKilledOne(without: String?) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 100)
            let blocker = scenario.connect()
            // The first batch commits; the second waits for this row.
            try await blocker.execute("BEGIN", "SELECT FROM items WHERE id = 75 FOR UPDATE")
            let environment = without.map { ["COORD_TEST_WITHOUT": $0] } ?? [:]
            let coordinator = try scenario.coord(
                "start", try items.setJob(batch: 50, shards: 1), "--workers", "1", environment: environment)
            let run = try await scenario.newestRun()
            try await eventually("the first batch has committed") {
                try await scenario.session.int("SELECT count(*) FROM history") >= 50
            }
            let victim = try await first("there is a worker") { scenario.workers.first }
            kill(victim, SIGKILL)
            await blocker.close()
            guard without != nil else {
                #expect(try await coordinator.ended().status == 0)
                return #expect(try await items.violations(run: run) == [])
            }
            // Without the mechanism the run would never end.
            try await eventually("rows are changed twice") {
                try await scenario.session.int("SELECT count(*) FROM items WHERE n > 1") > 0
            }
            #expect(try await !items.violations(run: run).isEmpty)
        }
    }

    @Test(arguments: [nil, "compare"])
    func onlyTheCompareKeepsAChangeThatIsCommittedBetweenReadAndWrite(without: String?) async throws {
        try await Scenario.run { scenario in
            try scenario.program("plus_one.py")
            try await scenario.session.execute(
                "CREATE TABLE items (id bigint PRIMARY KEY, n int NOT NULL DEFAULT 0)",
                "INSERT INTO items SELECT generate_series(1, 10)")
            let user = scenario.connect()
            try await user.execute("BEGIN", "UPDATE items SET n = n + 10 WHERE id = 5")
            let job = try scenario.job(
                "table: items\nread: [n]\ncompute: { command: [python3, plus_one.py], writes: [n] }\nshards: 1\n"
                    + Items.atTheGate)
            let coordinator = try scenario.coord(
                "start", job, "--workers", "1", environment: without.map { ["COORD_TEST_WITHOUT": $0] } ?? [:])
            try await eventually("the batch, which read n = 0, waits for the row") {
                try await scenario.session.int(
                    """
                    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                        AND application_name LIKE 'coord run%' AND wait_event_type = 'Lock'
                    """) > 0
            }
            try await user.execute("COMMIT")
            #expect(try await coordinator.ended().status == 0)
            let value = try await scenario.session.int("SELECT n FROM items WHERE id = 5")
            #expect(value == (without == nil ? 11 : 1))
            #expect(try await scenario.session.int("SELECT count(*) FROM items WHERE id <> 5 AND n <> 1") == 0)
        }
    }
}
