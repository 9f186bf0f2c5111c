import Foundation
import Testing

/// How often a worker waits for the server, counted by a program between the two.
@Suite struct RoundTripTests {
    /// With `set`, a batch takes one round trip. With `compute` it takes at most two: the read of the next batch goes
    /// out with the write, but counts as a turn of its own when the server answers before the worker's second message.
    @Test(arguments: [(Items.Kind.setBased, 1), (.rowBased, 2)])
    func batchTakesNoMoreRoundTripsThanItMay(_ kind: Items.Kind, limit: Int) async throws {
        try await Scenario.run { scenario in
            _ = try await Items.make(scenario, rows: 2_000)
            // With triggers a worker tries planner settings at its start. How many it tries depends on the statistics.
            try await scenario.session.execute("DROP TRIGGER remember ON items")
            let few = try await Self.roundTrips(scenario, kind, batch: 100, place: "few")
            let many = try await Self.roundTrips(scenario, kind, batch: 20, place: "many")
            // 20 batches against 100. The difference leaves out what a worker does once for its session or its shard.
            #expect(many - few >= 70, "only \(many - few) round trips of 80 batches were seen")
            #expect(many - few <= 80 * limit, "80 batches took \(many - few) round trips")
        }
    }

    /// The number of round trips of a run with one worker and one shard.
    private static func roundTrips(_ scenario: Scenario, _ kind: Items.Kind, batch: Int, place: String) async throws
        -> Int
    {
        let items = Items(scenario: scenario)
        let program = try scenario.program("count_turns.py")
        let folder = "\(scenario.folder)/\(place)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        let environment = scenario.environment
        let socket = ".s.PGSQL.\(environment["PGPORT"] ?? "5432")"
        let counts = "\(folder)/counts"
        _ = try scenario.start(
            "/usr/bin/env",
            ["python3", program, "\(folder)/\(socket)", "\(environment["PGHOST"] ?? "")/\(socket)", counts])
        try await eventually("the program listens") { FileManager.default.fileExists(atPath: "\(folder)/\(socket)") }
        let endpoint = "ipc://\(folder)/join"
        let worker = try scenario.coord("worker", "--connect", endpoint, environment: ["PGHOST": folder])
        let ended = try await scenario.run(
            "start", try items.job(kind, batch: batch, shards: 1), "--new", "--workers", "0", "--listen", endpoint)
        #expect(ended.status == 0, "\(ended.errors)")
        #expect(try await worker.ended().status == 0)
        return try await first("the worker's session has ended") {
            guard let text = FileManager.default.contents(atPath: counts) else { return nil }
            let lines = String(decoding: text, as: UTF8.self).split(separator: "\n").compactMap { Int($0) }
            #expect(lines.count == 1, "a worker has one session")
            return lines.first
        }
    }
}
