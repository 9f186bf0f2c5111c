import Glibc
import Sharding
import Testing

@Suite struct KilledWorkerTests {
    @Test(arguments: [(Items.Kind.setBased, UInt64(1)), (.setBased, 2), (.rowBased, 3), (.rowBased, 4)])
    func everyRowIsChangedOnceThoughWorkersAreKilledAtRandomMoments(kind: Items.Kind, seed: UInt64) async throws {
        try await Scenario.run { scenario in
            let rows = 6_000
            let items = try await Items.make(scenario, rows: rows, pace: 0.02)
            var random = SeededGenerator(seed: seed)
            let moments = (0..<5).map { _ in Int.random(in: 0..<rows * 9 / 10, using: &random) }.sorted()
            let coordinator = try scenario.coord("start", try items.job(kind), "--workers", "2")
            let run = try await scenario.newestRun()
            for moment in moments {
                let victim = try await first("a worker lives and \(moment) rows are done") {
                    try await scenario.rowsDone(run) >= moment ? scenario.workers.randomElement(using: &random) : nil
                }
                kill(victim, SIGKILL)
            }
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await items.violations(run: run) == [])
            #expect(ended.errors.contains("killed by signal 9"))
        }
    }

    /// The test ends sessions of workers and of the coordinator, as an administrator or a failing network does.
    @Test(arguments: [(Items.Kind.setBased, UInt64(5)), (.rowBased, 6)])
    func everyRowIsChangedOnceThoughSessionsAreEndedAtRandomMoments(kind: Items.Kind, seed: UInt64) async throws {
        try await Scenario.run { scenario in
            let rows = 6_000
            let items = try await Items.make(scenario, rows: rows, pace: 0.02)
            var random = SeededGenerator(seed: seed)
            let moments = (0..<8).map { _ in Int.random(in: 0..<rows * 9 / 10, using: &random) }.sorted()
            let coordinator = try scenario.coord("start", try items.job(kind), "--workers", "2")
            let run = try await scenario.newestRun()
            for (index, moment) in moments.enumerated() {
                let name = index == 4 ? "coord ledger" : "coord run%"
                try await eventually("a session of \(name) is ended after \(moment) rows") {
                    // On a busy machine the run may be over before this test looks again.
                    if coordinator.exitStatus != nil { return true }
                    guard try await scenario.rowsDone(run) >= moment else { return false }
                    return try await !scenario.session.execute(
                        """
                        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name LIKE '\(name)' ORDER BY random() LIMIT 1
                        """
                    ).isEmpty
                }
            }
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await items.violations(run: run) == [])
        }
    }
}
