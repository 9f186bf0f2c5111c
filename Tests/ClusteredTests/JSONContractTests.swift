import Glibc
import Testing

/// The members of JSON output that programs may rely on.
@Suite struct JSONContractTests {
    private static let counts = ["done", "failed", "pending", "running"]
    private static let worker = [
        "host", "peak_rss_bytes", "pid", "program_rss_bytes", "rows_done", "rows_per_second", "rss_bytes", "shard",
        "waits_for",
    ]

    @Test func everyLineOfStartHasATypeAndTheLastIsTheSummary() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 1_200, pace: 0.1)
            let ended = try await scenario.run("start", try items.setJob(), "--workers", "2", "--json")
            #expect(ended.status == 0)
            #expect(ended.errors.isEmpty, "\(ended.errors)")
            let lines = try JSON.lines(ended.output)
            let types = lines.map { $0["message_type"].string ?? "none" }
            #expect(!types.contains("none"))
            #expect(types.contains("started"))
            #expect(types.filter { $0 == "summary" }.count == 1)
            #expect(types.last == "summary")
            let progress = try #require(lines.last { $0["message_type"].string == "progress" })
            #expect(
                Set(progress.members).isSuperset(of: [
                    "conditions", "conditions_left_out", "elapsed_seconds", "eta_seconds", "job", "note", "rows_done",
                    "rows_estimated",
                    "rows_per_second", "run", "shards", "workers",
                ]))
            #expect(progress["shards"].members == Self.counts)
            let summary = try #require(lines.last)
            #expect(summary["job"].string == "job")
            #expect(summary["run"].int == 1)
            #expect(summary["state"].string == "complete")
            #expect(summary["rows_done"].int == 1_200)
            #expect((1_192...1_208).contains(summary["rows_estimated"].int ?? 0))
            #expect(summary["shards"]["done"].int == 8)
            #expect(summary["failures"].elements.isEmpty)
            #expect(summary["workers"].elements.count == 2)
            #expect(summary["workers"].elements.allSatisfy { ($0["peak_rss_bytes"].int ?? 0) > 0 })
            #expect((summary["coordinator_peak_rss_bytes"].int ?? 0) > 0)
            #expect((summary["elapsed_seconds"].double ?? 0) > 0)
        }
    }

    @Test func statusShardsAndCancelAnswerWithTheirMembers() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 4_000, pace: 0.25)
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "2")
            let run = try await scenario.newestRun()
            let status = try await first("status shows workers that work") {
                let ended = try await scenario.run("status", "--json")
                #expect(ended.status == 0 && ended.errors.isEmpty)
                let status = try JSON(ended.output)
                let busy = status["workers"].elements.contains { !$0["shard"].isNull && ($0["rows_done"].int ?? 0) > 0 }
                return busy ? status : nil
            }
            #expect(
                Set(status.members).isSuperset(of: [
                    "eta_seconds", "job", "rows_done", "rows_estimated", "rows_per_second", "run", "shards", "state",
                    "workers",
                ]))
            #expect(status["finished_at"].isNull && status["duration_seconds"].isNull)
            #expect(status["run"].int == run)
            #expect(status["job"].string == "job")
            #expect(status["state"].string == "running")
            #expect((status["rows_done"].int ?? 0) > 0)
            // The estimates of the shards are rounded, so their sum may differ a little.
            #expect((3_992...4_008).contains(status["rows_estimated"].int ?? 0))
            #expect(status["shards"].members == Self.counts)
            let total = Self.counts.reduce(0) { $0 + (status["shards"][$1].int ?? 0) }
            #expect(total == 8)
            let workers = status["workers"].elements
            #expect(workers.count == 2)
            #expect(Set(workers.compactMap { $0["pid"].int.map { pid_t($0) } }) == Set(scenario.workers))
            for worker in workers {
                #expect(worker.members == Self.worker)
                #expect((worker["rss_bytes"].int ?? 0) > 0)
                #expect((worker["peak_rss_bytes"].int ?? 0) >= worker["rss_bytes"].int ?? 0)
            }

            let listed = try JSON(try await scenario.run("workers", "\(run)", "--json").output).elements
            #expect(Set(listed.compactMap { $0["pid"].int.map { pid_t($0) } }) == Set(scenario.workers))
            for worker in listed {
                #expect(
                    worker.members == [
                        "activity", "host", "joined_at", "left_at", "peak_rss_bytes", "pid", "present", "rows_done",
                        "rows_per_second", "rss_bytes", "seen_at", "shard",
                    ])
                #expect(worker["present"].bool == true && worker["left_at"].isNull)
                #expect(worker["joined_at"].string?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil)
            }

            let shards = try JSON(try await scenario.run("shards", "\(run)", "--json").output).elements
            #expect(shards.map { $0["shard"].int } == Array(0..<8))
            #expect(
                shards.first?.members == [
                    "after", "checkpoint", "epoch", "error", "failures", "rows_done", "rows_estimated", "shard",
                    "state",
                    "through",
                ])

            let cancel = try JSON(try await scenario.run("cancel", "\(run)", "--json").output)
            #expect(cancel["run"].int == run)
            #expect(cancel["state"].string == "cancelled")
            #expect(cancel.members == ["coordinator", "ended", "run", "state"])
            #expect(cancel["coordinator"].string?.contains("pid \(coordinator.pid)") == true)
            _ = try await coordinator.ended(within: .seconds(20))
            let after = try JSON(try await scenario.run("status", "\(run)", "--json").output)
            #expect(after["state"].string == "cancelled")
            #expect(after["eta_seconds"].isNull)
            #expect(after["rows_per_second"].double == 0)
            #expect(after["table"].string == "public.items")
            #expect(after["user"].string == (try await scenario.session.text("SELECT session_user")))
            for moment in ["started_at", "finished_at"] {
                #expect(after[moment].string?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil)
            }
            #expect((after["duration_seconds"].double ?? 0) > 0)
            #expect((after["average_rows_per_second"].double ?? 0) > 0)
            let text = try await scenario.run("status", "\(run)").output
            #expect(text.contains(" rows/s on average\n"), "\(text)")
            #expect(text.contains("  started 2") && text.contains(", finished 2") && text.contains(", took 0:"))
            #expect(text.contains("made by "))
        }
    }

    @Test func planAndLedgerAnswerWithTheirMembers() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 100)
            // The plan warns of a trigger that fires for every row.
            try await scenario.session.execute(
                """
                CREATE TRIGGER each_row AFTER UPDATE ON items FOR EACH ROW
                    EXECUTE FUNCTION suppress_redundant_updates_trigger()
                """)
            let plan = try JSON(try await scenario.run("plan", try items.setJob(), "--json").output)
            #expect(
                Set(plan.members).isSuperset(of: [
                    "job", "key", "ranges", "rows", "rows_estimated", "table", "warnings",
                ]))
            #expect(plan["table"].string == "public.items")
            #expect(plan["key"].string == "id")
            #expect(plan["warnings"].elements.contains { $0.string?.contains("trigger each_row") == true })
            #expect(plan["ranges"].elements.first?.members == ["after", "rows_estimated", "through"])
            for (arguments, answer) in [
                (["install"], "installed"), (["install"], "unchanged"), (["drop", "--yes"], "dropped"),
            ] {
                let ended = try await scenario.start(
                    TestServer.coord(), ["ledger"] + arguments + ["--json"]
                ).ended()
                #expect(ended.status == 0)
                #expect(try JSON(ended.output)["ledger"].string == answer)
            }
            #expect(try await scenario.session.bool("SELECT to_regnamespace('coord') IS NULL"))
        }
    }
}
