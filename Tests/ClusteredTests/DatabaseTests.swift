import Foundation
import Glibc
import Testing

/// How the coordinator and the workers that it spawns find the database.
@Suite struct DatabaseTests {
    enum Way: CaseIterable {
        case job, flag, service
    }

    @Test(arguments: Way.allCases) func jobFlagAndServiceLeadToTheDatabase(_ way: Way) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 3_000)
            let job = try items.setJob()
            var arguments = ["start", job, "--workers", "2"]
            var environment = ["PGDATABASE": "nowhere"]
            switch way {
            case .job:
                let text = try String(contentsOfFile: job, encoding: .utf8)
                try "\(text)\ndatabase: dbname=\(scenario.name)\n".write(toFile: job, atomically: true, encoding: .utf8)
            case .flag: arguments += ["--database", "postgresql:///\(scenario.name)"]
            case .service:
                let file = "\(scenario.folder)/services.conf"
                try "[live]\ndbname=\(scenario.name)\n".write(toFile: file, atomically: true, encoding: .utf8)
                environment = ["PGDATABASE": "", "PGSERVICE": "live", "PGSERVICEFILE": file]
            }
            let started = try await scenario.start(TestServer.coord(), arguments, environment: environment).ended()
            #expect(started.status == 0, "\(started.errors)")
            #expect(try await items.violations(run: try await scenario.newestRun()) == [])
        }
    }

    enum Passfile: CaseIterable {
        case right, wrong, ofAnotherHost
    }

    /// The test connects by TCP, since the test's server asks for no password on its socket.
    @Test(arguments: Passfile.allCases) func passwordComesFromThePassfile(_ passfile: Passfile) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 1_000)
            let job = try items.setJob()
            let own = try TestServer.passfile()
            let file: String
            switch passfile {
            case .right: file = own
            case .wrong: file = try scenario.write("127.0.0.1:*:*:*:wrong\n", to: "pgpass")
            case .ofAnotherHost: file = try scenario.write("db.example.com:*:*:*:wrong\n", to: "pgpass")
            }
            // libpq ignores a password file that other users may read.
            #expect(chmod(file, 0o600) == 0)
            let started = try await scenario.run(
                "start", job, "--workers", "2", environment: ["PGHOST": "127.0.0.1", "PGPASSFILE": file])
            guard passfile == .right else {
                #expect(started.status == 4, "\(started.errors)")
                #expect(started.errors.contains("password"))
                #expect(try await scenario.session.bool("SELECT to_regnamespace('coord') IS NULL"))
                return
            }
            #expect(started.status == 0, "\(started.errors)")
            #expect(try await items.violations(run: try await scenario.newestRun()) == [])
        }
    }

    @Test func withoutThemTheEnvironmentDecides() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 10)
            let started = try await scenario.run("start", try items.setJob(), environment: ["PGDATABASE": "nowhere"])
            #expect(started.status != 0)
            #expect(started.errors.contains("nowhere"), "\(started.errors)")
        }
    }
}
