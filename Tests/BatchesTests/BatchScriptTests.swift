import Batches
import Ledger
import Postgres
import Sharding
import Support
import Testing

@Suite(.database) struct BatchScriptTests {
    private let store: TestLedger
    private let connection: PostgresConnection

    init() throws {
        store = try TestDatabase.current.ledger()
        connection = try TestDatabase.current.connect(setup: PostgresSession.batches + PostgresSession.byIndex)
    }

    /// The statement with each variable replaced by its value, also within quotes, as pgbench does it.
    private func filled(_ script: String, _ variables: [(String, String?)]) -> String {
        variables.reduce(script) { $0.replacing(":\($1.0)", with: $1.1 ?? "") }
    }

    @Test func scriptWalksAShardAsAWorkerDoes() throws {
        let keys = try KeyKind.all[3].makeTable(connection, rows: 10)
        let statements = BatchStatements(target: try .setting(connection, ["n": "n + 1"], where: "note IS NULL"))
        let script = BatchScript(SetBatch(statements), rows: 4)
        let ownership = try store.ownedRun(cutAt: [keys[0], keys[8]])
        let shard = try LeasedShard(store, shard: 1, of: ownership)
        try connection.execute(script.prepare)
        var sequence = "0"
        var checkpoint: String? = Key(keys[0]).literal
        for (end, done) in [(4, false), (8, false), (8, true)] {
            let statement = filled(
                script.execute,
                [
                    ("run", "\(shard.run)"), ("shard", "1"), ("epoch", "\(shard.lease.epoch)"),
                    ("owner", shard.worker.rawValue),
                    ("through", Key(keys[8]).literal), ("coord_sequence", sequence), ("coord_checkpoint", checkpoint),
                ])
            let answer = try connection.execute(statement)
            #expect(answer.rows == 1)
            // The next batch has these columns of the answer as variables.
            checkpoint = answer.text(0, 0)
            sequence = answer.text(0, 4) ?? ""
            #expect(checkpoint == Key(keys[end]).literal && answer.bool(0, 6) == done)
            // A batch that is sent twice is refused.
            #expect(try connection.execute(statement).rows == 0)
        }
        #expect(try connection.counts() == ["0"] + Array(repeating: "1", count: 8) + ["0"])
        #expect(try store.reader.shard(ShardID(1), of: shard.run)?.state == .done)
    }
}
