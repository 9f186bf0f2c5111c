import Glibc
import Testing

/// Somebody changes the ledger by hand while a coordinator is at work.
@Suite struct DamagedLedgerTests {
    struct Damage: Sendable, CustomTestStringConvertible {
        var sql: String
        var told: [String]
        /// The run's state after the damage; nil when the run is gone.
        var state: String?
        var testDescription: String { sql }
    }

    static let damages = [
        // The coordinator finds the damage when it wants to lease the shard.
        Damage(
            sql: "DELETE FROM coord.shard WHERE id = 7",
            told: ["the last shard to end at 800", "found shard 6", "7 of 8"], state: "paused"),
        // Nobody looks at the shard again before the end.
        Damage(
            sql: "DELETE FROM coord.shard WHERE id = 0 AND state = 'done'", told: ["from -∞ on", "7 of 8"],
            state: "paused"),
        Damage(
            sql: "UPDATE coord.shard SET epoch = 0 WHERE state = 'running'", told: ["had epoch 1, and now has 0"],
            state: "paused"),
        Damage(sql: "DELETE FROM coord.run", told: ["its row was deleted"], state: nil),
        Damage(sql: "UPDATE coord.run SET state = 'paused'", told: ["found it paused"], state: "paused"),
    ]

    @Test(arguments: damages) func damageStopsTheRunAndIsTold(_ damage: Damage) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 800, pace: 0.1)
            let coordinator = try scenario.coord("start", try items.setJob(batch: 20), "--workers", "1")
            let run = try await scenario.newestRun()
            try await eventually("one shard is done, and another begun") {
                try await scenario.session.bool(
                    """
                    SELECT bool_or(id = 0 AND state = 'done') AND bool_or(state = 'running' AND sequence > 0)
                    FROM coord.shard
                    """)
            }
            // The worker stands still during the damage: otherwise one batch after another could take the row from a
            // statement that waits for it. The attempt repeats, since the worker may be between two shards.
            try await eventually("the damage is done") {
                let workers = scenario.workers
                for worker in workers { kill(worker, SIGSTOP) }
                defer { for worker in workers { kill(worker, SIGCONT) } }
                return try await !scenario.session.execute(damage.sql + " RETURNING 1").isEmpty
            }
            let ended = try await coordinator.ended(within: .seconds(30))
            #expect(ended.status == 1, "\(ended.errors)")
            for part in damage.told + ["run \(run)"] { #expect(ended.errors.contains(part), "\(ended.errors)") }
            #expect(!ended.errors.contains("another coordinator"))
            #expect(!ended.output.contains("complete"))
            #expect(scenario.pids.isEmpty)
            #expect(try await scenario.state(of: run) == damage.state)
        }
    }
}
