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
            #expect(cancel.output.contains("run \(run) is cancelled"))
            #expect(cancel.output.contains("pid \(coordinator.pid)"))
            let ended = try await coordinator.ended(within: .seconds(20))
            #expect(ended.status != 0)
            #expect(ended.output.contains("run \(run) of job: cancelled"))
            #expect(try await scenario.state(of: run) == "cancelled")
            #expect(scenario.pids.isEmpty)
            // Committed batches stay.
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
            // So many rows that the run is not over before the signal arrives, even on a busy machine.
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

    /// The coordinator connects again at once, and would continue the run.
    @Test(arguments: 1...3) func cancelIsFinalAlsoWhenTheCoordinatorsSessionHasJustEnded(round: Int) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 20_000, pace: 0.01)
            let coordinator = try scenario.coord("start", try items.setJob(batch: 10, shards: 64), "--workers", "2")
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            try await scenario.session.execute(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'coord ledger'
                """)
            let cancel = try await scenario.run("cancel", "\(run)")
            #expect(cancel.status == 0, "\(cancel.errors)")
            let ledger =
                "SELECT sum(sequence), sum(epoch), sum(rows_done), (SELECT count(*) FROM coord.attempt) FROM coord.shard"
            let after = try await scenario.session.execute(ledger)
            let ended = try await coordinator.ended(within: .seconds(30))
            #expect(ended.status == 1, "\(ended.errors)")
            #expect(ended.output.contains("run \(run) of job: cancelled"))
            #expect(!ended.errors.contains("another coordinator"))
            #expect(scenario.pids.isEmpty)
            #expect(try await scenario.session.execute(ledger) == after)
            #expect(try await scenario.state(of: run) == "cancelled")
        }
    }

    /// This test needs a server of its own: a DROP DATABASE waits for every session of the server, even for a frozen
    /// one.
    @Test func cancelNamesASessionThatIsFrozenWithAShardsRow() async throws {
        try await TestServer.own { _, scenario in
            let items = try await Items.make(scenario, rows: 2_000)
            let gate = try await items.closeGate()
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "1")
            let run = try await scenario.newestRun()
            try await gate.reached()
            let frozen = pid_t(
                try await scenario.session.int(
                    "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'coord run%' AND datname = current_database()"
                ))
            kill(frozen, SIGSTOP)
            defer { kill(frozen, SIGCONT) }

            let refused = try await scenario.run("cancel", "\(run)", "--json")
            #expect(refused.status == 1)
            for part in [
                "pid \(frozen)", "coord run", "holds shard", "nothing was changed", "cancel \(run) --force",
            ] {
                #expect(refused.errors.contains(part), "\(refused.errors)")
            }
            // The coordinator may hold the run's row while it waits for the shard's row. Then the cancel names two
            // holders.
            let holders = try JSON(refused.output)["holders"].elements
            #expect(holders.contains { $0["pid"].int == Int(frozen) })
            #expect(try await scenario.state(of: run) == "running")

            let forced = try await scenario.run("cancel", "\(run)", "--force")
            #expect(forced.status == 1)
            #expect(forced.errors.contains("kill -CONT \(frozen)"), "\(forced.errors)")
            #expect(try await scenario.state(of: run) == "running")

            kill(frozen, SIGCONT)
            try await eventually("the session has ended") { kill(frozen, 0) != 0 }
            let cancel = try await scenario.run("cancel", "\(run)", "--force")
            #expect(cancel.status == 0, "\(cancel.errors)")
            await gate.open()
            #expect(try await coordinator.ended(within: .seconds(30)).status == 1)
            #expect(try await scenario.state(of: run) == "cancelled")
            #expect(try await scenario.session.int("SELECT count(*) FROM items WHERE n <> 0") == 0)
        }
    }
}
