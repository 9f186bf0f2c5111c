import Glibc
import Support
import Testing

@Suite struct FrozenWorkerTests {
    @Test(arguments: Items.Kind.allCases)
    func workerThatWakesAfterItsLeaseExpiredWritesNothing(kind: Items.Kind) async throws {
        try await Scenario.run { scenario in
            let zombie = try await Zombie.wake(in: scenario, kind)
            do {
                try await eventually("the zombie was refused") {
                    zombie.process.errors.contains("a step failed (fenced)")
                }
            } catch { throw LiveProcess.Stuck(output: zombie.process.errors) }
            #expect(zombie.process.exitStatus == nil)
            #expect(try await zombie.items.violations(run: zombie.run) == [])
        }
    }

    @Test func frozenLocalWorkerIsKilledAndReplaced() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 1_000)
            let gate = try await items.closeGate()
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "2")
            let run = try await scenario.newestRun()
            // Both workers have joined and hold a lease, so that either of them has one to lose.
            try await gate.reached(by: 2)
            let victim = try await first("there is a worker") { scenario.workers.first }
            kill(victim, SIGSTOP)
            try await eventually("the worker is frozen") { LiveProcess.state(of: victim) == "T" }
            await gate.open()
            try await eventually("the frozen worker was killed", within: .seconds(30)) {
                LiveProcess.state(of: victim) == nil
            }
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(ended.errors.contains("pid \(victim) is silent"))
            #expect(try await items.violations(run: run) == [])
            let expired = try await scenario.session.int("SELECT count(*) FROM coord.attempt WHERE outcome = 'expired'")
            #expect(expired == 1)
        }
    }
}

/// A worker that was frozen in the middle of its shard. It wakes after others have finished the shard and the run.
struct Zombie {
    var items: Items
    var run: Int
    var process: LiveProcess

    enum FenceState {
        case closed
        /// Whoever comes is let through.
        case open
    }

    /// - Parameters:
    ///   - fence: how it is when the worker wakes.
    ///   - more: further lines of the job file.
    static func wake(
        in scenario: Scenario, _ kind: Items.Kind, fence: FenceState = .closed, more: String = ""
    ) async throws -> Zombie {
        let items = try await Items.make(scenario, rows: 1_000)
        let gate = try await items.closeGate()
        let endpoint = "ipc://\(scenario.folder)/join"
        let coordinator = try scenario.coord(
            "start", try items.job(kind, shards: 4, more: more), "--workers", "1", "--listen", endpoint)
        let run = try await scenario.newestRun()
        let zombie = try scenario.coord(
            "worker", "--connect", endpoint, "--verbose",
            environment: fence == .open ? ["COORD_TEST_FUNCTIONS": "1"] : [:])
        // Both workers have a batch that cannot commit yet.
        try await gate.reached(by: 2)
        zombie.send(SIGSTOP)
        try await eventually("the worker is frozen") { LiveProcess.state(of: zombie.pid) == "T" }
        await gate.open()
        // The batch commits while its worker is frozen. After the lease has expired, the other worker does the rest of
        // the shard.
        let ended = try await coordinator.ended()
        #expect(ended.status == 0, "\(ended.errors)")
        #expect(ended.errors.contains("pid \(zombie.pid) is silent"))
        #expect(try await items.violations(run: run) == [])
        if fence == .open { try await scenario.session.execute(OpenFence.sql) }
        zombie.send(SIGCONT)
        return Zombie(items: items, run: run, process: zombie)
    }
}
