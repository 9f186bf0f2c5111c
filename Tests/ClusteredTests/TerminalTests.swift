import Glibc
import Testing

/// What a person sees: a picture on a terminal, lines of text elsewhere.
@Suite struct TerminalTests {
    @Test(arguments: [false, true]) func terminalShowsABarAndALineForEachWorker(noColor: Bool) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 2_400, pace: 0.15)
            let terminal = try PseudoTerminal(columns: 80, rows: 24)
            let coordinator = try scenario.start(
                TestServer.coord(), ["start", try items.setJob(), "--workers", "2"], on: terminal,
                environment: ["TERM": "xterm", "NO_COLOR": noColor ? "1" : ""])
            let run = try await scenario.newestRun()
            try await eventually("there is a bar, and a line with rate and memory for each worker") {
                let lines = try terminal.read().lines
                let bars = lines.filter { $0.contains("░") }
                let workers = scenario.workers
                return bars.count == 1 && bars[0].hasPrefix("job  run \(run)") && bars[0].contains("%")
                    && bars[0].contains("rows/s") && workers.count == 2
                    && workers.allSatisfy { pid in
                        lines.contains { line in
                            line.contains(":\(pid)") && !line.contains(" 0 rows/s") && line.contains(" rows/s")
                                && line.contains("shard") && line.contains("MiB")
                        }
                    }
            }
            try await eventually("it has ended") {
                _ = try terminal.read()
                return coordinator.exitStatus != nil
            }
            #expect(coordinator.exitStatus == 0)
            let screen = try terminal.read()
            // Each picture replaces the picture before it. That works only if no line was wider than the terminal.
            #expect(screen.wraps == 0)
            #expect(screen.strangers == 0)
            let lines = screen.lines
            #expect(lines.count { $0.contains("█") || $0.contains("░") } == 1, "\(lines)")
            #expect(lines.contains { $0.contains("█") && $0.contains("100%") })
            #expect(lines.contains { $0.hasPrefix("starting run \(run) of job") })
            #expect(lines.contains("run \(run) of job: complete"))
            #expect(screen.colors > 0 || noColor)
            #expect(screen.colors == 0 || !noColor)
        }
    }

    @Test func withoutATerminalThereAreLinesAndNothingButTheSummaryOnStandardOutput() async throws {
        try await Scenario.run { scenario in
            // Two workers do 48 batches, which takes more than 7 s.
            let items = try await Items.make(scenario, rows: 2_400, pace: 0.3)
            let begun = ContinuousClock.now
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "2")
            let run = try await scenario.newestRun()
            let ended = try await coordinator.ended()
            let seconds = Int((ContinuousClock.now - begun).components.seconds)
            #expect(ended.status == 0)
            #expect(!ended.errors.contains("\u{1B}") && !ended.errors.contains("\r"))
            let progress = ended.errors.split(separator: "\n").filter { $0.hasPrefix("job run \(run): ") }
            // The first line comes after a second, then one every 5 s.
            #expect(progress.count >= 2 && progress.count <= seconds / 5 + 1, "\(seconds) s: \(ended.errors)")
            for line in progress {
                let form =
                    /job run \d+: \d+%, [\d,]+( \/ [\d,]+)? rows, [\d,.]+ rows\/s, (ETA|took) .*, 2 workers, peak .* a worker/
                #expect(line.wholeMatch(of: form) != nil, "\(line)")
            }
            let summary = ended.output.split(separator: "\n")
            #expect(summary.first == "run \(run) of job: complete")
            #expect(summary.dropFirst().allSatisfy { $0.hasPrefix("  ") }, "\(ended.output)")
            #expect(summary.count == 7)
        }
    }
}
