import Glibc
import Testing

@Suite struct CancelTests {
    @Test func runIsCancelledFromAnotherProcess() async throws {
        try await Scenario.run { scenario in
            let rows = 4_000
            let items = try await Items.make(scenario, rows: rows, pace: 0.3)
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "2")
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            let cancel = try await scenario.run("cancel", "\(run)")
            #expect(cancel.status == 0, "\(cancel.errors)")
            #expect(cancel.output.contains("was asked to cancel"))
            let ended = try await coordinator.ended(within: .seconds(20))
            #expect(ended.status != 0)
            #expect(ended.output.contains("run \(run) of job: cancelled"))
            #expect(try await scenario.state(of: run) == "cancelled")
            #expect(scenario.pids.isEmpty)
            // Batches that have committed stay.
            let done = try await scenario.rowsDone(run)
            #expect(done > 0 && done < rows)
            #expect(try await scenario.session.int("SELECT count(*) FROM items WHERE n = 1") == done)

            let resume = try await scenario.run("resume", "\(run)")
            #expect(resume.status == 2)
            #expect(resume.errors.contains("run \(run) is cancelled"))
            let again = try await scenario.run("cancel", "\(run)")
            #expect(again.status == 2)
            #expect(again.errors.contains("cancelled already"))
        }
    }

    @Test func runWithoutCoordinatorIsCancelledOnTheSpot() async throws {
        try await Scenario.run { scenario in
            // So many that the run is not over before the signal comes, however busy the machine.
            let items = try await Items.make(scenario, rows: 50_000, pace: 0.05)
            let job = try items.setJob()
            let coordinator = try scenario.coord("start", job, "--workers", "1")
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            coordinator.send(SIGINT)
            #expect(try await coordinator.ended().status == 130)
            let cancel = try await scenario.run("cancel", "\(run)", "--json")
            #expect(cancel.status == 0)
            #expect(try JSON(cancel.output)["state"].string == "cancelled")
            #expect(try await scenario.state(of: run) == "cancelled")
            // The next start is a new run.
            let next = try scenario.coord("start", job, "--workers", "1")
            try await eventually("another run begins") { try await scenario.newestRun() > run }
            next.send(SIGKILL)
        }
    }
}
