import Postgres
import Sharding

/// The batch of a `set` job for a client with variables, such as pgbench or psql: a worker's statement with a worker's
/// parameters.
///
/// The client's variables hold the values that differ between batches: `:run`, `:shard`, `:epoch`, `:owner` and
/// `:through`, and the sequence and the checkpoint, whose variables have the names of the answer's columns. Keys are
/// arrays of texts, as in the ledger.
package struct BatchScript: Sendable {
    /// Prepares the statement, once in a session.
    package let prepare: String
    /// Runs the next batch.
    package let execute: String

    package init(_ batch: SetBatch, rows: Int) {
        let own = batch.statements.own
        // A number's place cannot hold a variable's name. So impossible numbers stand in for the variables.
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
