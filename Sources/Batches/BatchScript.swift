import Postgres
import Sharding

/// The batch of a set job for a client that has variables, such as pgbench or psql: the statement that a worker runs, with
/// the parameters that a worker binds.
///
/// The client's variables stand for what differs between batches: `:run`, `:shard`, `:epoch`, `:owner` and `:through` of the
/// shard, and its sequence and checkpoint, whose variables have the names of the answer's columns. Keys are arrays of texts, as
/// the ledger has them.
package struct BatchScript: Sendable {
    /// Prepares the statement, once in a session.
    package let prepare: String
    /// Runs the next batch.
    package let execute: String

    package init(_ batch: SetBatch, rows: Int) {
        let own = batch.statements.own
        // A number cannot name a variable, so that numbers which no ledger has stand for them.
        let fence = Fence(
            run: RunID(-1), lease: Lease(shard: ShardID(-2), epoch: Epoch(-3)), worker: WorkerID(":owner"), sequence: -4
        )
        var variables = ["'-1'": ":run", "'-2'": ":shard", "'-3'": ":epoch", "'-4'": ":\(own)sequence"]
        func key(_ variable: String) -> Key {
            let components = batch.statements.target.key.parts.enumerated().map { index, part in
                "(':\(variable)'::pg_catalog.text[])[\(index + 1)]::\(part.type.sqlName)"
            }
            for text in components { variables["'\(text.replacing("'", with: "''"))'"] = text }
            return Key(components)
        }
        let through = key("through")
        let call = batch.call(
            fence, KeyRange(after: nil, through: through), behind: key("\(own)checkpoint"), rows: rows)
        let arguments = call.parameters.literals.map { variables[$0] ?? $0 }
        prepare = "PREPARE \(call.name) AS \(call.sql)"
        execute = "EXECUTE \(call.name) (\(arguments.joined(separator: ", ")))"
    }
}
