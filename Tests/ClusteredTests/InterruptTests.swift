import Glibc
import Testing

@Suite struct InterruptTests {
    @Test(arguments: Items.Kind.allCases, [SIGINT, SIGTERM, SIGHUP])
    func firstSignalDrainsAndTheRunCanBeResumed(kind: Items.Kind, signal: Int32) async throws {
        try await Scenario.run { scenario in
            let rows = 4_000
            let items = try await Items.make(scenario, rows: rows, pace: 0.02)
            let coordinator = try scenario.coord("start", try items.job(kind), "--workers", "2")
            let run = try await scenario.newestRun()
            try await eventually("a part of the rows is done") { try await scenario.rowsDone(run) >= rows / 4 }
            coordinator.send(signal)
            let ended = try await coordinator.ended(within: .seconds(15))
            #expect(ended.status == 130)
            #expect(ended.errors.contains("draining"))
            #expect((ended.output + ended.errors).contains("coord resume \(run)"))
            #expect(scenario.pids.isEmpty)
            #expect(try await scenario.state(of: run) == "paused")
            #expect(try await scenario.rowsDone(run) < rows)
            // The counted rows are the changed rows: no batch was torn.
            let changed = try await scenario.session.int("SELECT count(*) FROM history")
            #expect(try await scenario.rowsDone(run) == changed)
            let running = try await scenario.session.int("SELECT count(*) FROM coord.shard WHERE state = 'running'")
            #expect(running == 0)

            let resumed = try await scenario.run("resume", "\(run)", "--workers", "2")
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try await items.violations(run: run) == [])
        }
    }

    @Test func secondSignalStopsAtOnceThoughBatchesHang() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 1_000)
            let gate = try await items.closeGate()
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "2")
            let run = try await scenario.newestRun()
            try await gate.reached(by: 2)
            coordinator.send(SIGINT)
            try await eventually("it drains") { coordinator.errors.contains("draining") }
            #expect(coordinator.exitStatus == nil)
            coordinator.send(SIGINT)
            let ended = try await coordinator.ended(within: .seconds(3))
            #expect(ended.status == 130)
            #expect(ended.errors.contains("stopped at once"))
            #expect(ended.errors.contains("coord resume \(run)"))
            #expect(scenario.pids.isEmpty)
            await gate.open()

            let resumed = try await scenario.run("resume", "\(run)", "--workers", "2")
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try await items.violations(run: run) == [])
        }
    }
}
