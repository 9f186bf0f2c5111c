import Glibc
import Testing

/// Workers that a person starts, as on another host.
@Suite struct JoinedWorkerTests {
    @Test func workersThatJoinDoTheRunAloneAndOneMayLeave() async throws {
        try await Scenario.run { scenario in
            let rows = 4_000
            let items = try await Items.make(scenario, rows: rows, pace: 0.02)
            let endpoint = "ipc://\(scenario.folder)/join"
            // One worker starts before its coordinator.
            let early = try scenario.coord("worker", "--connect", endpoint)
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "0", "--listen", endpoint)
            try await eventually("it says where to join") {
                coordinator.errors.contains("coord worker --connect \(endpoint)")
            }
            let late = try scenario.coord("worker", "--connect", endpoint)
            let run = try await scenario.newestRun()
            try await eventually("both work and a part of the rows is done") {
                let shards = try await scenario.session.int("SELECT count(*) FROM coord.shard WHERE state = 'running'")
                return try await scenario.rowsDone(run) >= rows / 4 && shards == 2
            }
            late.send(SIGTERM)
            #expect(try await late.ended(within: .seconds(10)).status == 0)
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await early.ended(within: .seconds(10)).status == 0)
            #expect(try await items.violations(run: run) == [])
            let released = try await scenario.session.int(
                "SELECT count(*) FROM coord.attempt WHERE outcome = 'released'")
            #expect(released >= 1)
        }
    }

    @Test func workerOfAnotherDatabaseIsTurnedAwayBeforeItWrites() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 2_000, pace: 0.05)
            let endpoint = "ipc://\(scenario.folder)/join"
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "1", "--listen", endpoint)
            let run = try await scenario.newestRun()
            let stray = try await scenario.run(
                "worker", "--connect", endpoint, environment: ["PGDATABASE": scenario.server.database])
            #expect(stray.status == 1)
            #expect(stray.errors.contains("goes to another database"))
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await items.violations(run: run) == [])
        }
    }

    @Test func workerThatWasSlowHearsThatTheRunIsOver() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 100)
            let gate = try await items.closeGate()
            let endpoint = "ipc://\(scenario.folder)/join"
            let busy = try scenario.coord("worker", "--connect", endpoint)
            let coordinator = try scenario.coord(
                "start", try items.setJob(shards: 1), "--workers", "0", "--listen", endpoint)
            let run = try await scenario.newestRun()
            try await gate.reached()
            // The run has no second shard, so this worker is idle.
            let idle = try scenario.coord("worker", "--connect", endpoint, "--json")
            try await eventually("it has joined") { idle.output.contains("joined") }
            idle.send(SIGSTOP)
            try await eventually("it is frozen") { LiveProcess.state(of: idle.pid) == "T" }
            await gate.open()
            try await eventually("the other has left, so the run is over") { busy.exitStatus == 0 }
            #expect(try await scenario.state(of: run) == "complete")
            #expect(coordinator.exitStatus == nil, "its socket is closed before the farewell is read")
            idle.send(SIGCONT)
            #expect(try await idle.ended(within: .seconds(10)).status == 0)
            #expect(try await coordinator.ended().status == 0)
        }
    }

    @Test func workerThatHearsNoCoordinatorLeaves() async throws {
        try await Scenario.run { scenario in
            let endpoint = "ipc://\(scenario.folder)/nobody"
            let ended = try await scenario.run("worker", "--connect", endpoint, "--give-up-after", "1")
            #expect(ended.status == 1)
            #expect(ended.errors.contains("no coordinator was heard at \(endpoint)"))
        }
    }
}
