import Postgres
import Sharding
import Support
import Testing

@testable import Ledger

/// A ledger that somebody has changed by hand.
@Suite(.database) struct DamageTests {
    private let store: TestLedger
    init() throws { store = try TestDatabase.current.ledger() }

    /// Damages to the shards (…5], (5…7], (7…9], (9…) of run 1, and words that the error must contain.
    static let damages: [(sql: String, told: [String])] = [
        ("DELETE FROM coord.shard WHERE id = 2", ["behind shard 1 (5, 7]", "shard 3 (9, +∞] follows", "3 of 4"]),
        ("DELETE FROM coord.shard WHERE id = 0", ["from -∞ on", "shard 1 (5, 7] follows", "3 of 4"]),
        ("DELETE FROM coord.shard WHERE id = 3", ["the last shard to end at +∞", "found shard 2 (7, 9]", "3 of 4"]),
        ("DELETE FROM coord.shard", ["0 of 4", "rows would be left out"]),
        ("UPDATE coord.shard SET through_key = '{8}' WHERE id = 1", ["from 8 on", "behind shard 1 (5, 8]"]),
        ("UPDATE coord.shard SET after_key = '{6}' WHERE id = 1", ["from 5 on", "shard 1 (6, 7] follows"]),
        ("UPDATE coord.shard SET after_key = '{5}' WHERE id = 3", ["shard 1 (5, 7] and shard 3 (5, +∞]"]),
        ("UPDATE coord.shard SET through_key = NULL WHERE id = 1", ["shard 1 (5, +∞] ends the run", "2 of its 4"]),
        ("UPDATE coord.shard SET through_key = '{5}' WHERE id = 3", ["circle"]),
        ("UPDATE coord.run SET end_key = '{99}'", ["shard 3 (9, +∞] has no end", "ends at 99"]),
    ]

    @Test(arguments: damages) func shardsThatDoNotTileStopEveryStep(_ damage: (sql: String, told: [String])) throws {
        let ownership = try store.ownedRun(cutAt: ["5", "7", "9"])
        let run = ownership.run
        for shard in Int32(0)...3 { try store.end(shard, of: run, as: .done) }
        try store.connection.execute(damage.sql)
        let steps: [() throws -> Void] = [
            { _ = try store.coordinator.load(run) }, { _ = try store.coordinator.conclude(ownership) },
            {
                try store.forgetSession(of: run)
                _ = try store.coordinator.takeOver(run, as: .rival, host: "other", pid: 8)
            },
        ]
        for step in steps {
            let error = try ledgerError { try step() }
            #expect(error.code == .damaged)
            for part in damage.told + ["run \(run)"] { #expect(error.message.contains(part), "\(error)") }
            #expect(error.mend?.contains("coord cancel \(run)") == true)
        }
        let record = try store.reader.run(run)
        #expect(record.state == .running && record.term == ownership.term)
    }

    @Test func shardsMayBeInAnyOrderOfTheirNumbers() throws {
        let ownership = try store.ownedRun(cutAt: ["5", "7"])
        let run = ownership.run
        try store.connection.execute("UPDATE coord.shard SET id = 10 - id")
        #expect(try store.coordinator.load(run).map(\.id) == [8, 9, 10].map { ShardID($0) })
        try store.connection.execute("UPDATE coord.shard SET through_key = '{6}' WHERE id = 9")
        try store.connection.execute(
            "INSERT INTO coord.shard (run_id, id, after_key, through_key, rows_estimated) VALUES (\(run), 11, '{6}', '{7}', 1)"
        )
        #expect(try store.coordinator.load(run).count == 4)
        for shard in Int32(8)...11 { try store.end(shard, of: run, as: .done) }
        #expect(try store.coordinator.conclude(ownership) == ShardCounts(done: 4))
        #expect(try store.reader.run(run).state == .complete)
    }

    @Test func missingShardIsTold() throws {
        let run = try store.ownedRun(cutAt: ["5"]).run
        #expect(try store.coordinator.require(ShardID(1), of: run).id == ShardID(1))
        try store.connection.execute("DELETE FROM coord.shard WHERE id = 1")
        let error = try ledgerError { _ = try store.coordinator.require(ShardID(1), of: run) }
        #expect(error.code == .damaged && error.message.contains("found shard 0 (-∞, 5]"))
        try store.connection.execute("DELETE FROM coord.run")
        let gone = try ledgerError { _ = try store.coordinator.require(ShardID(1), of: run) }
        #expect(gone.code == .damaged && gone.message.contains("its row was deleted"))
    }
}
