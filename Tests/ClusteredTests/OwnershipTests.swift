import Glibc
import Testing

@Suite struct OwnershipTests {
    @Test func secondCoordinatorIsRefusedWhileTheFirstWorks() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 2_000)
            let job = try items.setJob()
            let gate = try await items.closeGate()
            let coordinator = try scenario.coord("start", job, "--workers", "2")
            let run = try await scenario.newestRun()
            try await gate.reached(by: 2)
            for arguments in [["start", job], ["start", job, "--new"], ["resume", "\(run)"]] {
                let second = try await scenario.start(TestServer.coord(), arguments).ended()
                #expect(second.status == 5, "\(arguments): \(second.errors)")
                #expect(second.errors.contains("under another coordinator"))
                #expect(second.errors.contains("pid \(coordinator.pid)"))
                #expect(second.output.isEmpty)
            }
            let drop = try await scenario.run("ledger", "drop", "--yes")
            #expect(drop.status == 5, "\(drop.errors)")
            await gate.open()
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await items.violations(run: run) == [])
        }
    }

    /// The ledger does not exist yet, so the coordinators also install it at the same moment.
    @Test func ofCoordinatorsThatStartAtTheSameMomentOneRunsTheJob() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 1_000, pace: 0.05)
            let job = try items.setJob()
            let coordinators = try (0..<4).map { _ in try scenario.coord("start", job, "--workers", "1") }
            var statuses: [Int32] = []
            for coordinator in coordinators {
                let ended = try await coordinator.ended()
                statuses.append(ended.status)
                if ended.status != 0 { #expect(ended.errors.contains("under another coordinator")) }
            }
            #expect(statuses.sorted() == [0, 5, 5, 5])
            #expect(try await scenario.session.int("SELECT count(*) FROM coord.run") == 1)
            #expect(try await items.violations(run: scenario.newestRun()) == [])
        }
    }

    @Test func changedDefinitionIsRefusedWithBothWaysOn() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 2_000, pace: 0.05)
            let job = try items.setJob()
            let coordinator = try scenario.coord("start", job, "--workers", "1")
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            coordinator.send(SIGINT)
            #expect(try await coordinator.ended().status == 130)

            try scenario.write("table: items\nset: { n: n + 2 }\n", to: "job.yaml")
            let done = try await scenario.rowsDone(run)
            let refused = try await scenario.run("start", job, "--workers", "1")
            #expect(refused.status == 2)
            #expect(refused.output.isEmpty)
            #expect(refused.errors.contains("changed since it was planned"))
            #expect(refused.errors.contains("coord resume \(run)"))
            #expect(refused.errors.contains("--new"))
            #expect(try await scenario.rowsDone(run) == done)
            #expect(try await scenario.newestRun() == run)

            let new = try await scenario.run("start", job, "--workers", "2", "--new")
            #expect(new.status == 0, "\(new.errors)")
            #expect(try await scenario.newestRun() > run)
            #expect(try await scenario.state(of: run) == "cancelled")
            // The new run also changed the rows that the cancelled run had changed.
            let wrong = try await scenario.session.int(
                "SELECT count(*) FROM items WHERE n <> 2 + (SELECT count(*) - 1 FROM history WHERE id = items.id)")
            #expect(wrong == 0)
        }
    }

    @Test(arguments: ["set: { n: nosuch(n) }", "set: { absent: 1 }", "where: n +* 1\nset: { n: 1 }"])
    func newRunThatCannotBePlannedLeavesTheOldOneAsItWas(change: String) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 2_000, pace: 0.05)
            let job = try items.setJob()
            let coordinator = try scenario.coord("start", job, "--workers", "1")
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            coordinator.send(SIGINT)
            #expect(try await coordinator.ended().status == 130)
            let ledger =
                "SELECT r::text, s::text FROM coord.run AS r JOIN coord.shard AS s ON s.run_id = r.id ORDER BY s.id"
            let before = try await scenario.session.execute(ledger)

            try scenario.write("table: items\n\(change)\n", to: "job.yaml")
            let refused = try await scenario.run("start", job, "--workers", "1", "--new")
            #expect(refused.status == 2, "\(refused.errors)")
            #expect(try await scenario.session.execute(ledger) == before)
            #expect(try await scenario.state(of: run) == "paused")

            let resumed = try await scenario.run("resume", "\(run)", "--workers", "2")
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try await items.violations(run: run) == [])
        }
    }

    @Test func limitsMayChangeWhenARunIsStartedAgain() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 2_000, pace: 0.05)
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "1")
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            coordinator.send(SIGINT)
            #expect(try await coordinator.ended().status == 130)
            let again = try await scenario.run("start", try items.setJob(batch: 500), "--workers", "2")
            #expect(again.status == 0, "\(again.errors)")
            #expect(again.errors.contains("resuming run \(run)"))
            #expect(try await items.violations(run: run) == [])
        }
    }

    /// The coordinator stays frozen for longer than its ownership and its workers' leases last.
    @Test func coordinatorThatWakesAfterAnotherTookOverStopsAndWritesNothing() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 2_000, pace: 0.02)
            let job = try items.setJob()
            let frozen = try scenario.coord("start", job, "--workers", "2")
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            frozen.send(SIGSTOP)
            let early = try await scenario.run("resume", "\(run)", "--workers", "2")
            #expect(early.status == 5, "\(early.errors)")
            let ended = try await first("the frozen coordinator has lost the run", within: .seconds(30)) {
                let ended = try await scenario.run("resume", "\(run)", "--workers", "2")
                return ended.status == 5 ? nil : ended
            }
            #expect(ended.status == 0, "\(ended.errors)")
            let changes = try await scenario.session.int("SELECT count(*) FROM coord.event")
            frozen.send(SIGCONT)
            let ousted = try await frozen.ended(within: .seconds(20))
            #expect(ousted.status == 5, "\(ousted.errors)")
            #expect(ousted.errors.contains("another coordinator has taken the run over"))
            #expect(scenario.pids.isEmpty)
            #expect(try await scenario.session.int("SELECT count(*) FROM coord.event") == changes)
            #expect(try await items.violations(run: run) == [])
        }
    }
}
