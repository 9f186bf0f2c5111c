import Testing

@Suite struct SecretTests {
    private static let password = "correct-horse-battery-staple"

    @Test func passwordOfTheEnvironmentIsNeitherPrintedNorPassedOnNorStored() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 1_000, pace: 0.05)
            let file = try scenario.program("misbehave.py")
            // One shard fails, so that error texts are written too.
            let job = try items.programJob(
                "python3, \(file), dies, '1', '10'", retry: "retry: { attempts: 2, backoff: 10ms }\n")
            let coordinator = try scenario.coord(
                "start", job, "--workers", "2", "--verbose", environment: ["PGPASSWORD": Self.password])
            let run = try await scenario.newestRun()
            try await eventually("workers are at work") {
                guard scenario.workers.count == 2 else { return false }
                return try await scenario.rowsDone(run) > 0
            }
            for pid in scenario.pids {
                let line = LiveProcess.commandLine(of: pid).joined(separator: " ")
                #expect(!line.contains(Self.password))
            }
            let ended = try await coordinator.ended()
            #expect(ended.status == 3)
            #expect(!(ended.output + ended.errors).contains(Self.password))
            for table in ["run", "shard", "attempt", "event", "worker"] {
                let found = try await scenario.session.int(
                    "SELECT count(*) FROM coord.\(table) AS t WHERE t::text LIKE '%\(Self.password)%'")
                #expect(found == 0, "coord.\(table)")
            }
        }
    }

    @Test(arguments: [
        "postgresql://me:correct-horse-battery-staple@localhost/x",
        "postgresql://me@localhost/x?password=correct-horse-battery-staple",
        "host=localhost password=correct-horse-battery-staple",
        "host=localhost password = 'correct-horse-battery-staple'",
    ])
    func passwordOnTheCommandLineIsRefusedAndNotRepeated(conninfo: String) async throws {
        try await Scenario.run { scenario in
            let job = try scenario.job("table: items\nset: { n: 1 }\n")
            for arguments in [["start", job], ["status"], ["cancel", "1"], ["worker", "--connect", "ipc:///tmp/x"]] {
                let ended = try await scenario.start(
                    TestServer.coord(), arguments + ["--database", conninfo]
                ).ended()
                #expect(ended.status == 2, "\(arguments): \(ended.errors)")
                #expect(ended.errors.contains("--database"))
                #expect(!(ended.output + ended.errors).contains(Self.password))
            }
        }
    }

    @Test func databaseOfTheCommandLineReachesTheWorkersWithoutTheirCommandLine() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 1_000, pace: 0.05)
            let server = scenario.server
            let conninfo = "host=\(server.host) port=\(server.port) user=\(server.user) dbname=\(scenario.name)"
            let coordinator = try scenario.coord(
                "start", try items.setJob(), "--workers", "2", "--database", conninfo,
                environment: ["PGHOST": "/nowhere", "PGDATABASE": "nowhere"])
            try await eventually("workers are at work") { scenario.workers.count == 2 }
            for pid in scenario.workers {
                #expect(!LiveProcess.commandLine(of: pid).joined(separator: " ").contains(server.host))
            }
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await items.violations(run: 1) == [])
        }
    }
}
