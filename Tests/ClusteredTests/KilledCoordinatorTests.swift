import Foundation
import Glibc
import Support
import Testing

@Suite struct KilledCoordinatorTests {
    enum WayOn: String, Sendable, CaseIterable {
        case resume, startAgain
    }

    @Test(arguments: Items.Kind.allCases, WayOn.allCases)
    func runGoesOnAfterItsCoordinatorWasKilledTwice(kind: Items.Kind, way: WayOn) async throws {
        try await Scenario.run { scenario in
            let rows = 6_000
            let items = try await Items.make(scenario, rows: rows, pace: 0.02)
            let job = try items.job(kind)
            // Somebody holds a row, so that the run cannot be over before its coordinator is killed.
            let holder = scenario.connect()
            try await holder.execute("BEGIN", "SELECT FROM items WHERE id = \(rows) FOR UPDATE")
            var coordinator = try scenario.coord("start", job, "--workers", "2")
            let run = try await scenario.newestRun()
            for share in [1, 2] {
                try await eventually("a part of the rows is done") {
                    try await scenario.rowsDone(run) >= rows * share / 8
                }
                coordinator.send(SIGKILL)
                #expect(try await coordinator.ended().status == 128 + SIGKILL)
                // The workers see the end of their standard input.
                try await eventually("the workers have ended by themselves", within: .seconds(5)) {
                    scenario.pids.isEmpty
                }
                #expect(try await scenario.state(of: run) == "running")
                #expect(try await scenario.rowsDone(run) < rows)
                switch way {
                case .resume: coordinator = try scenario.coord("resume", "\(run)", "--workers", "2")
                case .startAgain: coordinator = try scenario.coord("start", job, "--workers", "2")
                }
            }
            await holder.close()
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(ended.errors.contains("resuming run \(run)"))
            #expect(ended.output.contains("run \(run) of job: complete"))
            #expect(try await items.violations(run: run) == [])
            #expect(try await scenario.newestRun() == run)
        }
    }

    /// A coordinator spawns its workers while it plans the job. They wait until it admits them.
    @Test(arguments: [SIGKILL, SIGTERM])
    func workersOfACoordinatorThatEndsWhileItPlansEndToo(signal: Int32) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 100)
            let holder = scenario.connect()
            _ = try await holder.execute("BEGIN", "LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "3")
            try await eventually("the workers wait to be admitted, and the plan for the table") {
                let waits = try await holder.bool(
                    "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'items'::regclass)")
                return waits && scenario.workers.count == 3
            }
            let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            #expect(try await holder.int(sessions + " AND application_name = 'coord ledger'") == 1)
            #expect(try await holder.int(sessions + " AND application_name LIKE 'coord run%'") == 0)
            let words = LiveProcess.commandLine(of: try #require(scenario.workers.first))
            let endpoint = try #require(words.first { $0.hasPrefix("ipc://") })
            let folder = String(endpoint.dropFirst("ipc://".count).dropLast("/run".count))
            coordinator.send(signal)
            #expect(try await coordinator.ended().status == 128 + signal)
            try await eventually("the workers are gone, and their folder", within: .seconds(5)) {
                scenario.workers.isEmpty && access(folder, F_OK) != 0
            }
            await holder.close()
        }
    }

    @Test(arguments: [false, true]) func coordinatorThatCannotSpawnWorkersSaysHowToGoOn(json: Bool) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 100)
            let copy = "\(scenario.folder)/coord"
            try FileManager.default.copyItem(atPath: TestServer.coord(), toPath: copy)
            // The coordinator's own program file is gone, as after an upgrade at the wrong moment.
            let script = """
                import errno, os, sys, time
                program = os.open(sys.argv[1], os.O_RDONLY)
                os.unlink(sys.argv[1])
                while True:
                    try:
                        os.execve(program, sys.argv[1:], os.environ)
                    except OSError as error:
                        # A process that another test is just starting may still have the copy open for writing.
                        if error.errno != errno.ETXTBSY: raise
                        time.sleep(0.01)
                """
            let job = try items.setJob()
            let arguments = ["python3", "-c", script, copy, "start", job] + (json ? ["--json"] : [])
            let stopped = try await scenario.start("/usr/bin/env", arguments).ended()
            #expect(stopped.status == 1)
            try #require(stopped.errors.contains(" stopped"), "\(stopped.errors)")
            let run = try await scenario.newestRun()
            #expect(stopped.errors.contains("run \(run) stopped"))
            #expect(stopped.errors.contains("coord resume \(run)   goes on"))
            if json {
                let summary = try JSON(stopped.output)
                #expect(summary["message_type"].string == "summary")
                #expect(summary["run"].int == run)
                #expect(summary["state"].string == (try await scenario.state(of: run)))
                #expect(summary["shards"]["pending"].int == 8)
                #expect(summary["error"].string.map { stopped.errors.contains($0) } == true)
            } else {
                #expect(stopped.output.isEmpty)
            }
            let resumed = try await scenario.run("resume", "\(run)", "--workers", "1")
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try await items.violations(run: run) == [])
        }
    }

    @Test func runWhoseCoordinatorWasKilledSaysInStatusHowToGoOn() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 2_000, pace: 0.02)
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "1")
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            coordinator.send(SIGKILL)
            _ = try await coordinator.ended()
            try await eventually("status shows that the coordinator is gone", within: .seconds(20)) {
                let status = try await scenario.run("status")
                #expect(status.status == 0)
                return status.output.contains("its coordinator is gone")
                    && status.output.contains("coord resume \(run)")
            }
        }
    }
}
