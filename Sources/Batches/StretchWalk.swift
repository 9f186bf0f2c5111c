import Postgres
import Sharding

/// The way of a worker through the stretches of its shards.
package final class StretchWalk {
    package let comb: Comb
    private var stretch: Stretch?

    package init(_ comb: Comb) { self.comb = comb }

    /// The rows of the next batch.
    ///
    /// What is in hand is gone on with only where the shard stands as the parts that were taken have left it. After anything
    /// else, such as a batch that failed or another worker's, the keys are looked at again.
    ///
    /// - Parameter limit: rows that the batch may have, beside the comb's own limit.
    package func next(
        _ statements: BatchStatements, _ range: KeyRange, behind cursor: Cursor, limit: Int,
        _ connection: PostgresConnection
    ) throws -> Stretch.Part? {
        let limit = min(limit, comb.batchRows)
        if stretch?.range == range, stretch?.cursor == cursor, let part = stretch?.next(rows: limit) { return part }
        stretch = nil
        stretch = try Stretch.look(statements, comb, range, behind: cursor, keys: keys(limit: limit), connection)
        return stretch?.next(rows: limit)
    }

    /// How many keys a look takes where batches may have so many rows.
    ///
    /// Batches that a timeout has made smaller make stretches smaller too, down to one key: the look evaluates the job's
    /// condition, and has to stay within the same timeout.
    package func keys(limit: Int) -> Int {
        guard limit > 1 || comb.batchRows <= 1 else { return 1 }
        guard limit < comb.batchRows else { return max(1, comb.stretchRows) }
        return max(limit, comb.stretchRows / comb.batchRows * limit)
    }

    /// Gives back the end of the part that was taken last.
    package func cut(_ part: inout Stretch.Part, behind last: Key) { stretch?.cut(&part, behind: last) }
}
