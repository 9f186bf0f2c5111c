import Glibc
import Sharding
import Testing

/// Faults of several kinds in one run, in a random order that the seed decides.
@Suite struct ChaosTests {
    enum Fault: CaseIterable {
        case workerKilled, workerSessionEnded, ledgerSessionEnded, coordinatorKilled, coordinatorInterrupted
    }

    /// Seeds 1 to 3, or 1 to N with COORD_TEST_CHAOS=N.
    private static let seeds: ClosedRange<UInt64> =
        1...max(getenv("COORD_TEST_CHAOS").flatMap { UInt64(String(cString: $0)) } ?? 3, 1)

    @Test(arguments: Items.Kind.allCases, seeds)
    func everyRowIsChangedOnceWhateverFails(kind: Items.Kind, seed: UInt64) async throws {
        try await Scenario.run { scenario in
            let rows = 6_000
            let items = try await Items.make(scenario, rows: rows, pace: 0.02)
            var random = SeededGenerator(seed: seed)
            let moments = (0..<6).map { _ in Int.random(in: 0..<rows * 9 / 10, using: &random) }.sorted()
            var coordinator = try scenario.coord("start", try items.job(kind), "--workers", "2")
            let run = try await scenario.newestRun()
            for moment in moments {
                try await eventually("\(moment) rows are done") {
                    // The wait must end if the coordinator has ended.
                    if coordinator.exitStatus != nil {
                        let ended = try await coordinator.ended()
                        #expect(ended.status == 0, "\(ended.errors)")
                        return true
                    }
                    return try await scenario.rowsDone(run) >= moment
                }
                // Before the run begins, a signal or a lost session ends the coordinator as it ends any other command.
                try await eventually("it coordinates") { coordinator.exitStatus != nil || !scenario.workers.isEmpty }
                switch Fault.allCases.randomElement(using: &random) ?? .workerKilled {
                case .workerKilled:
                    kill(try await first("there is a worker") { scenario.workers.first }, SIGKILL)
                case .workerSessionEnded: try await Self.endSessions(of: "coord run%", scenario)
                case .ledgerSessionEnded: try await Self.endSessions(of: "coord ledger", scenario)
                case .coordinatorKilled:
                    coordinator.send(SIGKILL)
                    _ = try await coordinator.ended()
                    coordinator = try scenario.coord("resume", "\(run)", "--workers", "2")
                case .coordinatorInterrupted:
                    coordinator.send(SIGINT)
                    let ended = try await coordinator.ended()
                    #expect(ended.status == 130, "\(ended.errors)")
                    coordinator = try scenario.coord("resume", "\(run)", "--workers", "2")
                }
            }
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await items.violations(run: run) == [])
        }
    }

    private static func endSessions(of name: String, _ scenario: Scenario) async throws {
        try await scenario.session.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name LIKE '\(name)'
            """)
    }
}
