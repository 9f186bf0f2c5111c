import Foundation
import Glibc
import Testing

@Suite struct ServerRestartTests {
    @Test(arguments: Items.Kind.allCases)
    func runGoesOnByItselfWhenTheServerIsRestarted(kind: Items.Kind) async throws {
        let folder = "/tmp/coord-restart-\(UUID().uuidString.prefix(8))"
        let server = try await TestServer.make(in: folder)
        do {
            try await Scenario.run(on: server) { try await Self.restart(server, $0, kind) }
        } catch {
            try await server.remove()
            throw error
        }
        try await server.remove()
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
