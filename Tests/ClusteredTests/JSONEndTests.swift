import Glibc
import Testing

/// However a command ends, its last JSON object says how it ended.
@Suite struct JSONEndTests {
    /// Returns the last line, and checks that every line has a type and that no other line is a summary.
    private static func last(of ended: LiveProcess.Ended) throws -> JSON {
        let lines = try JSON.lines(ended.output)
        #expect(lines.allSatisfy { $0["message_type"].string != nil }, "\(ended.output)")
        #expect(lines.dropLast().allSatisfy { $0["message_type"].string != "summary" })
        return try #require(lines.last, "\(ended.errors)")
    }

    private static let members = [
        "coordinator_peak_rss_bytes", "elapsed_seconds", "error", "failures", "job", "message_type", "rows_above",
        "rows_done", "rows_estimated", "rows_per_second", "rows_unchanged", "run", "shards", "state",
        "storage", "workers",
    ]

    @Test func runThatStopsByAnErrorEndsWithASummaryThatNamesIt() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 2_000, pace: 0.05)
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "2", "--json")
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            // Another coordinator that takes the run over raises the term, too.
            try await scenario.session.execute("UPDATE coord.run SET term = term + 1 WHERE id = \(run)")
            let ended = try await coordinator.ended()
            #expect(ended.status == 5)
            #expect(ended.errors.contains("another coordinator has taken the run over"))
            let summary = try Self.last(of: ended)
            #expect(summary["message_type"].string == "summary")
            #expect(summary.members == Self.members)
            #expect(summary["error"].string?.contains("another coordinator has taken the run over") == true)
            #expect(summary["run"].int == run)
            #expect(summary["job"].string == "job")
            #expect(summary["state"].string == (try await scenario.state(of: run)))
            #expect((summary["rows_done"].int ?? 0) > 0)
            #expect(summary["workers"].elements.count == 2)
        }
    }

    @Test func withoutTheLedgerTheSummaryHasWhatTheCoordinatorKnew() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 4_000, pace: 0.2)
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "2", "--json")
            let known = try await first("it knows of rows that are done") {
                // The last line may be incomplete.
                let lines = coordinator.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
                return try lines.compactMap { try JSON(String($0))["rows_done"].int }.first { $0 > 0 }
            }
            try await scenario.session.execute("ALTER TABLE coord.run RENAME TO elsewhere")
            let ended = try await coordinator.ended()
            #expect(ended.status == 1)
            let summary = try Self.last(of: ended)
            #expect(summary["message_type"].string == "summary")
            #expect(summary.members == Self.members)
            #expect(summary["state"].string == "running")
            #expect((summary["rows_done"].int ?? 0) >= known)
            #expect(summary["workers"].elements.count == 2)
            #expect(summary["failures"].isNull)
            #expect(summary["error"].string?.contains("coord.run") == true)
        }
    }

    @Test func secondSignalEndsWithASummaryOfWhatStatusShows() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 1_000)
            let gate = try await items.closeGate()
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "2", "--json")
            let run = try await scenario.newestRun()
            try await gate.reached(by: 2)
            coordinator.send(SIGINT)
            try await eventually("it drains") { coordinator.output.contains("draining") }
            coordinator.send(SIGINT)
            let ended = try await coordinator.ended(within: .seconds(3))
            #expect(ended.status == 130)
            let summary = try Self.last(of: ended)
            #expect(summary["message_type"].string == "summary")
            #expect(summary.members == Self.members)
            #expect(summary["run"].int == run)
            #expect(summary["rows_done"].int == 0)
            #expect(summary["error"].isNull && summary["failures"].isNull)
            let total = ["done", "failed", "pending", "running"].reduce(0) { $0 + (summary["shards"][$1].int ?? 0) }
            #expect(total == 8)
            let status = try JSON(try await scenario.run("status", "--json").output)
            #expect(summary["state"].string == status["state"].string)
            await gate.open()
        }
    }

    @Test func resumeOfACompleteRunEndsWithItsSummary() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 500)
            #expect(try await scenario.run("start", try items.setJob(), "--workers", "2").status == 0)
            let run = try await scenario.newestRun()
            let ended = try await scenario.run("resume", "\(run)", "--json")
            #expect(ended.status == 0)
            #expect(ended.errors.contains("nothing is left to do"))
            let summary = try Self.last(of: ended)
            #expect(summary["message_type"].string == "summary")
            #expect(summary.members == Self.members)
            #expect(summary["state"].string == "complete")
            #expect(summary["rows_done"].int == 500)
            #expect(summary["shards"]["done"].int == 8)
            #expect(summary["workers"].elements.count == 2)
            #expect(summary["failures"].elements.isEmpty && !summary["failures"].isNull)
            #expect(summary["error"].isNull)
        }
    }

    @Test func workerSaysThatItJoinedAndHowItEnded() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 200)
            let endpoint = "ipc://\(scenario.folder)/join"
            let worker = try scenario.coord("worker", "--connect", endpoint, "--json")
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "0", "--listen", endpoint)
            #expect(try await coordinator.ended().status == 0)
            let ended = try await worker.ended(within: .seconds(10))
            #expect(ended.status == 0)
            let run = try await scenario.newestRun()
            let lines = try JSON.lines(ended.output)
            #expect(lines.map { $0["message_type"].string } == ["joined", "summary"])
            #expect(lines.first?.members == ["host", "message_type", "pid", "run"])
            #expect(lines.first?["run"].int == run)
            let summary = try Self.last(of: ended)
            #expect(
                summary.members == ["ended", "error", "host", "message_type", "peak_rss_bytes", "pid", "run"])
            #expect(summary["run"].int == run)
            #expect(summary["pid"].int == Int(worker.pid))
            #expect(summary["ended"].string == "drained")
            #expect(summary["error"].isNull)
            #expect((summary["peak_rss_bytes"].int ?? 0) > 0)
        }
    }

    @Test func workerThatLeavesByAnErrorEndsWithASummaryThatNamesIt() async throws {
        try await Scenario.run { scenario in
            let ended = try await scenario.run(
                "worker", "--connect", "ipc://\(scenario.folder)/nobody", "--give-up-after", "1", "--json")
            #expect(ended.status == 1)
            #expect(ended.errors.contains("no coordinator was heard"))
            let summary = try Self.last(of: ended)
            #expect(summary["message_type"].string == "summary")
            #expect(summary["ended"].string == "abandoned")
            #expect(summary["error"].string?.contains("no coordinator was heard") == true)
            #expect(summary["run"].isNull)
        }
    }

    @Test(arguments: [
        ("plan absent.yaml --json", 2, "absent.yaml"),
        ("start absent.yaml --json", 2, "absent.yaml"),
        ("start job.yaml --json", 2, "no column absent"),
        ("start job.yaml --json --workers many", 2, "--workers"),
        ("start job.yaml --json --database postgresql://me:hunter2@localhost/x", 2, "password"),
        ("resume 42 --json", 2, "no ledger"),
        ("status --json", 2, "no ledger"),
        ("cancel 42 --json", 2, "no ledger"),
        ("worker --connect nowhere --json", 2, "nowhere"),
        ("strat --json", 2, "did you mean coord start?"),
    ])
    func commandThatDoesNothingPrintsItsErrorAsAnObject(line: String, status: Int, named: String) async throws {
        try await Scenario.run { scenario in
            try await scenario.session.execute("CREATE TABLE items (id bigint PRIMARY KEY, n int)")
            let job = try scenario.job("table: items\nset: { absent: 1 }\n")
            let arguments = line.split(separator: " ").map { $0 == "job.yaml" ? job : String($0) }
            let ended = try await scenario.start(TestServer.coord(), arguments).ended()
            #expect(ended.status == Int32(status))
            #expect(!ended.errors.isEmpty)
            let error = try JSON(ended.output)
            #expect(error.members == ["error", "exit_code", "message_type"])
            #expect(error["message_type"].string == "error")
            #expect(error["exit_code"].int == status)
            #expect(error["error"].string?.contains(named) == true, "\(ended.output)")
            #expect(!ended.output.contains("hunter2"))
        }
    }
}
