import Glibc
import Testing

/// Runs whose output nobody reads.
@Suite struct OutputTests {
    @Test(arguments: [
        ("> /dev/full", "No space left on device"), ("| head -n 1 > /dev/null", "Broken pipe"),
        (">&-", "Bad file descriptor"),
    ])
    func runGoesOnToItsEndAndTheStatusSaysThatOutputIsMissing(redirection: String, reason: String) async throws {
        try await Scenario.run { scenario in
            // The run lasts for more than one line of output.
            let items = try await Items.make(scenario, rows: 1_600, pace: 0.2)
            let ended = try await scenario.start(
                "/bin/bash",
                [
                    "-c", "\"$0\" start \"$1\" --workers 2 --json \(redirection); exit ${PIPESTATUS[0]}",
                    TestServer.coord(), try items.setJob(),
                ]
            ).ended()
            #expect(ended.status == 1, "\(ended.errors)")
            #expect(ended.errors.contains("standard output could not be written: \(reason)"), "\(ended.errors)")
            let run = try await scenario.newestRun()
            #expect(ended.errors.contains("coord status \(run)"))
            #expect(try await scenario.state(of: run) == "complete")
            #expect(try await items.violations(run: run) == [])
        }
    }

    @Test(arguments: ["status", "status --json", "shards 1", "--version", "help"])
    func commandWhoseAnswerIsLostEndsWith1(command: String) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 100)
            #expect(try await scenario.run("start", try items.setJob(), "--workers", "1").status == 0)
            let ended = try await scenario.start(
                "/bin/sh", ["-c", "\"$0\" \(command) > /dev/full", TestServer.coord()]
            ).ended()
            #expect(ended.status == 1)
            #expect(ended.errors.contains("standard output could not be written"))
        }
    }

    @Test func stoppedTerminalDoesNotStopTheRun() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 2_400, pace: 0.15)
            let terminal = try PseudoTerminal(columns: 80, rows: 24)
            let coordinator = try scenario.start(
                TestServer.coord(), ["start", try items.setJob(), "--workers", "2", "-v"], on: terminal,
                environment: ["TERM": "xterm"])
            let run = try await scenario.newestRun()
            try await eventually("there is a picture") { try terminal.read().lines.contains { $0.contains("░") } }
            // Ctrl-S
            terminal.type("\u{13}")
            try await eventually("it is complete") { try await scenario.state(of: run) == "complete" }
            try await eventually("it has ended, though its last words were not taken") {
                coordinator.exitStatus != nil
            }
            #expect(coordinator.exitStatus == 1)
            #expect(try await items.violations(run: run) == [])
        }
    }

    @Test func closedTerminalDrains() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 4_000, pace: 0.1)
            let terminal = try PseudoTerminal(columns: 80, rows: 24)
            let coordinator = try scenario.start(
                TestServer.coord(), ["start", try items.setJob(), "--workers", "2"], on: terminal,
                environment: ["TERM": "xterm"])
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            terminal.hangUp()
            // The shell sends a SIGHUP, and after the shell's end the kernel sends another. The second must not stop
            // the run at once.
            coordinator.send(SIGHUP)
            coordinator.send(SIGHUP)
            try await eventually("it has ended") { coordinator.exitStatus != nil }
            #expect(coordinator.exitStatus == 130)
            #expect(try await scenario.state(of: run) == "paused")
            #expect(scenario.pids.isEmpty)
            #expect(try await scenario.run("resume", "\(run)", "--workers", "2").status == 0)
            #expect(try await items.violations(run: run) == [])
        }
    }

    @Test func whatIsToOutliveItsTerminalDoes() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 1_600, pace: 0.1)
            let coordinator = try scenario.start(
                "/bin/sh",
                ["-c", "trap '' HUP; exec \"$0\" start \"$1\" --workers 2", TestServer.coord(), try items.setJob()])
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            coordinator.send(SIGHUP)
            #expect(try await coordinator.ended().status == 0)
            #expect(try await scenario.state(of: run) == "complete")
        }
    }
}
