import Foundation
import Glibc
import Support
import Testing

@Suite struct ServerRestartTests {
    @Test(arguments: Items.Kind.allCases)
    func runGoesOnByItselfWhenTheServerIsRestarted(kind: Items.Kind) async throws {
        try await TestServer.own { try await Self.restart($0, $1, kind) }
    }

    /// The run waits for the server's refusals to end, as it waits through any outage, and says what it waits for.
    @Test func runGoesOnByItselfWhenItsRoleWasLockedOutForAWhile() async throws {
        try await TestServer.own { _, scenario in
            let items = try await Items.make(scenario, rows: 4_000, pace: 0.02)
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "2")
            let run = try await scenario.newestRun()
            try await eventually("a part of the rows is done") { try await scenario.rowsDone(run) >= 500 }
            let rules = try await scenario.session.text("SHOW hba_file") ?? ""
            let before = try String(contentsOfFile: rules, encoding: .utf8)
            try "local nosuch nosuch trust\n".write(toFile: rules, atomically: false, encoding: .utf8)
            try await scenario.session.execute("SELECT pg_reload_conf()")
            try await eventually("nobody is let in") {
                try await scenario.run("status").status != 0
            }
            try await scenario.session.execute(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name LIKE 'coord%' AND pid <> pg_backend_pid()
                """)
            do {
                try await eventually("the coordinator says why", within: .seconds(20)) {
                    coordinator.errors.contains("no pg_hba.conf entry")
                        && coordinator.errors.contains("the database is away")
                }
            } catch { throw LiveProcess.Stuck(output: coordinator.errors) }
            try before.write(toFile: rules, atomically: false, encoding: .utf8)
            try await scenario.session.execute("SELECT pg_reload_conf()")
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await items.violations(run: run) == [])
            #expect(
                try await scenario.session.int("SELECT count(*) FROM coord.attempt WHERE outcome = 'failed'") == 0)
        }
    }

    private static func restart(_ server: TestServer, _ scenario: Scenario, _ kind: Items.Kind) async throws {
        let rows = 8_000
        let items = try await Items.make(scenario, rows: rows, pace: 0.02)
        let coordinator = try scenario.coord("start", try items.job(kind), "--workers", "2")
        let run = try await scenario.newestRun()
        for (index, mode) in TestServer.Shutdown.allCases.enumerated() {
            try await eventually("a part of the rows is done") {
                try await scenario.rowsDone(run) >= rows * (index + 1) / 4
            }
            await scenario.session.close()
            try await server.stop(mode)
            try await eventually("the coordinator noticed") {
                coordinator.errors.components(separatedBy: "the database is away").count > index + 1
            }
            try await server.start()
        }
        let ended = try await coordinator.ended()
        #expect(ended.status == 0, "\(ended.errors)")
        #expect(try await items.violations(run: run) == [])
    }
}
