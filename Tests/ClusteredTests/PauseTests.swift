import Glibc
import Testing

@Suite struct PauseTests {
    @Test(arguments: Items.Kind.allCases)
    func runIsPausedFromAnotherProcessAndStaysSoUntilItIsResumed(kind: Items.Kind) async throws {
        try await Scenario.run { scenario in
            let rows = 4_000
            let items = try await Items.make(scenario, rows: rows, pace: 0.05)
            let job = try items.job(kind)
            let coordinator = try scenario.coord("start", job, "--workers", "2")
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            let pause = try await scenario.run("pause", "\(run)", "--json")
            #expect(pause.status == 0, "\(pause.errors)")
            let answer = try JSON(pause.output)
            #expect(answer.members == ["asked_by", "changed", "coordinator", "run", "state"])
            #expect(answer["state"].string == "pausing" && answer["changed"].bool == true)
            #expect(answer["coordinator"].string?.contains("pid \(coordinator.pid)") == true)
            let who = try #require(answer["asked_by"].string)
            let ended = try await coordinator.ended(within: .seconds(20))
            #expect(ended.status == 130, "\(ended.errors)")
            #expect(ended.errors.contains("pausing, as \(who) asked"), "\(ended.errors)")
            #expect(ended.output.contains("run \(run) of job: paused"), "\(ended.output)")
            #expect(scenario.pids.isEmpty)
            #expect(try await scenario.rowsDone(run) < rows)

            // A coordinator that is started again does not go on.
            let again = try await scenario.run("start", job, "--workers", "2")
            #expect(again.status == 130, "\(again.errors)")
            #expect(again.errors.contains("run \(run) is paused, as \(who) asked"), "\(again.errors)")
            #expect(again.errors.contains("coord resume \(run)"), "\(again.errors)")
            #expect(try await scenario.newestRun() == run)
            let status = try await scenario.run("status", "\(run)")
            #expect(status.output.contains("paused, as \(who) asked"), "\(status.output)")
            #expect(try JSON(try await scenario.run("status", "--json").output)["paused_by"].string == who)
            let second = try await scenario.run("pause", "\(run)")
            #expect(second.status == 0 && second.output.contains("is paused already, as \(who) asked"))

            let resumed = try await scenario.run("resume", "\(run)", "--workers", "2")
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try await items.violations(run: run) == [])
            #expect(try JSON(try await scenario.run("status", "--json").output)["paused_by"].isNull)
            let late = try await scenario.run("pause", "\(run)")
            #expect(late.status == 2 && late.errors.contains("run \(run) is complete already"), "\(late.errors)")
        }
    }

    @Test func runWhoseCoordinatorWasKilledIsPausedOnTheSpot() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 4_000, pace: 0.05)
            let job = try items.setJob()
            let coordinator = try scenario.coord("start", job, "--workers", "2")
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            coordinator.send(SIGKILL)
            try await eventually("its session has ended") {
                try JSON(try await scenario.run("status", "--json").output)["coordinator"].isNull
            }
            let pause = try await scenario.run("pause", "\(run)")
            #expect(
                pause.status == 0 && pause.output.contains("run \(run) is paused\n"), "\(pause.output)\(pause.errors)")
            #expect(try await scenario.state(of: run) == "paused")
            #expect(try await scenario.run("start", job, "--workers", "2").status == 130)
            let resumed = try await scenario.run("resume", "\(run)", "--workers", "2")
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try await items.violations(run: run) == [])
        }
    }
}
