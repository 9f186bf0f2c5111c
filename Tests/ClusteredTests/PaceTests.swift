import Glibc
import Testing

@Suite struct PaceTests {
    /// The rows of the whole table a second, as the history has them, from the moment at which the limit holds.
    private func rate(_ scenario: Scenario, _ run: Int, over seconds: Int) async throws -> Double {
        let (begin, start) = (try await scenario.rowsDone(run), ContinuousClock.now)
        try await Task.sleep(for: .seconds(seconds))
        return Double(try await scenario.rowsDone(run) - begin) / ((ContinuousClock.now - start) / .seconds(1))
    }

    @Test(arguments: Items.Kind.allCases, ["", Items.comb])
    func limitHoldsFromAnotherProcessWhileTheRunIsAtWorkAndIsLifted(kind: Items.Kind, order: String) async throws {
        try await Scenario.run { scenario in
            let rows = 30_000
            let items = try await Items.make(scenario, rows: rows)
            let job = try items.job(kind, batch: 20, more: order)
            // Limited before it begins: the gate is shut until the limit is set.
            let gate = try await items.closeGate()
            let coordinator = try scenario.coord("start", job, "--workers", "4", "--json")
            let run = try await scenario.newestRun()
            let pace = try await scenario.run("pace", "\(run)", "--rows", "400", "--workers", "2", "--json")
            #expect(pace.status == 0, "\(pace.errors)")
            let answer = try JSON(pace.output)
            #expect(answer.members == ["before", "coordinator", "pace", "run"])
            #expect(answer["before"].isNull && answer["pace"]["rows_per_second"].int == 400)
            #expect(answer["pace"]["writers"].int == 2 && answer["pace"]["until"].isNull)
            try await eventually("the coordinator has obeyed") { coordinator.output.contains("pace_changed") }
            await gate.open()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            // A worker's slice from before may still last for a second.
            try await Task.sleep(for: .milliseconds(1500))
            let limited = try await rate(scenario, run, over: 5)
            #expect((240...480).contains(limited), "\(limited) rows/s")
            let status = try JSON(try await scenario.run("status", "--json").output)
            #expect(status["pace"]["rows_per_second"].int == 400)
            #expect(coordinator.output.contains("\"kind\":\"paced\""), "\(coordinator.output.suffix(2000))")
            let lifted = try await scenario.run("pace", "\(run)", "--off")
            #expect(lifted.output.contains("its pace is not limited"), "\(lifted.output)\(lifted.errors)")
            let ended = try await coordinator.ended(within: .seconds(30))
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await items.violations(run: run) == [])
        }
    }

    /// The limits stand in the ledger: a coordinator that comes after a kill obeys them from its first batch.
    @Test func limitOutlastsACoordinatorThatIsKilled() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 4_000, pace: 0.02)
            let job = try items.setJob(batch: 20)
            let first = try scenario.coord("start", job, "--workers", "2")
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            first.send(SIGKILL)
            let pace = try await scenario.run("pace", "\(run)", "--rows", "100")
            #expect(pace.status == 0, "\(pace.errors)")
            let second = try scenario.coord("resume", "\(run)", "--workers", "2")
            try await eventually("it is at work") { try await scenario.state(of: run) == "running" }
            let before = try await scenario.rowsDone(run)
            try await eventually("rows are done again", within: .seconds(30)) {
                try await scenario.rowsDone(run) > before
            }
            let limited = try await rate(scenario, run, over: 4)
            #expect((20...160).contains(limited), "\(limited) rows/s")
            let shown = try await scenario.run("pace", "\(run)")
            #expect(shown.output.contains("at most 100 rows/s"), "\(shown.output)\(shown.errors)")
            second.send(SIGINT)
            let ended = try await second.ended(within: .seconds(20))
            #expect(ended.errors.contains("pace: at most 100 rows/s"), "\(ended.errors)")
            #expect(try await scenario.run("pace", "\(run)", "--rows", "off").status == 0)
            #expect(try await scenario.run("resume", "\(run)", "--workers", "2").status == 0)
            #expect(try await items.violations(run: run) == [])
        }
    }
}
