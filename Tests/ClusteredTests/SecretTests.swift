import Foundation
import Support
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

    /// A password in a passfile and the secrets of key files, while a coordinator, a worker of its own, a worker that has joined
    /// with a key, and their programs are at work, and after it.
    @Test func secretsInFilesAreInNoProcessListLogMessageOrLedger() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 400)
            let gate = try await items.closeGate()
            let keys = Keyring(scenario: scenario)
            let folder = try await keys.make("db1")
            let passfile = try TestServer.passfile()
            let password = try #require(
                try String(contentsOfFile: passfile, encoding: .utf8).split(whereSeparator: { ":\n".contains($0) }).last
            )
            let secrets = try keys.secrets() + [String(password)]
            #expect(secrets.count == 3 && secrets.allSatisfy { $0.count > 10 })
            let environment = ["PGHOST": "127.0.0.1", "PGPASSFILE": passfile]
            let coordinator = try scenario.coord(
                "start", try items.job(.rowBased), "--workers", "1", "--listen", "tcp://127.0.0.1:*", "--keys",
                keys.coordinator, "--verbose", environment: environment)
            let endpoint = try await coordinator.endpoint()
            let worker = try scenario.coord(
                "worker", "--connect", endpoint, "--keys", folder, "--verbose", environment: environment)
            try await gate.reached(by: 2)
            var seen: [String] = []
            // Every process of the machine that can be seen, also those of the server.
            for pid in LiveProcess.all {
                seen.append(LiveProcess.commandLine(of: pid).joined(separator: " "))
                let variables = FileManager.default.contents(atPath: "/proc/\(pid)/environ") ?? Data()
                seen.append(String(decoding: variables, as: UTF8.self))
            }
            await gate.open()
            let ends = try await (coordinator.ended(), worker.ended())
            #expect(ends.0.status == 0 && ends.1.status == 0, "\(ends.0.errors)\(ends.1.errors)")
            for ended in [ends.0, ends.1] { seen += [ended.output, ended.errors] }
            let tables = try await scenario.session.text(
                "SELECT string_agg(relname, ' ') FROM pg_class WHERE relnamespace = 'coord'::regnamespace AND relkind = 'r'"
            )
            for table in (tables ?? "").split(separator: " ") {
                seen.append(
                    try await scenario.session.text("SELECT string_agg(t::text, ' ') FROM coord.\(table) AS t") ?? "")
            }
            // What is looked through has what it should have.
            for word in ["plus_one.py", folder, passfile, "joined"] {
                #expect(seen.contains { $0.contains(word) }, "\(word)")
            }
            for secret in secrets { #expect(seen.allSatisfy { !$0.contains(secret) }) }
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
