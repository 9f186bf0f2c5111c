import Postgres
import Sharding

/// A worker's walk through the stretches of its shards.
package final class StretchWalk {
    package let comb: Comb
    private var stretch: Stretch?

    package init(_ comb: Comb) { self.comb = comb }

    /// The part of a stretch for the next batch.
    ///
    /// The walk goes on with the stretch in hand only if the shard's cursor is where the last part has left it. After
    /// anything else, such as a failed batch or another worker's batch, it looks at the keys again.
    ///
    /// - Parameters:
    ///   - limit: the most rows of the batch, beside the comb's own limit.
    ///   - budget: the number of rows that a statement has the time for.
    package func next(
        _ statements: BatchStatements, _ range: KeyRange, behind cursor: Cursor, limit: Int, budget: Int,
        _ connection: PostgresConnection
    ) throws -> Stretch.Part? {
        let limit = max(1, min(limit, budget, comb.batchRows))
        if stretch?.range == range, stretch?.cursor == cursor, let part = stretch?.next(rows: limit) { return part }
        stretch = nil
        stretch = try Stretch.look(statements, comb, range, behind: cursor, keys: keys(budget: budget), connection)
        return stretch?.next(rows: limit)
    }

    /// The number of keys that a look takes when a statement has the time for `budget` rows.
    ///
    /// A look evaluates the job's condition, and has the same timeout as a batch. If batches shrink to a part of their
    /// size, stretches shrink by the square of that part, and at last to the size of a batch. So a look soon has no
    /// more to do than a batch.
    package func keys(budget: Int) -> Int {
        guard budget < comb.batchRows else { return max(1, comb.stretchRows) }
        let share = Double(budget) / Double(comb.batchRows)
        return max(1, min(budget, comb.stretchRows), Int(Double(comb.stretchRows) * share * share))
    }

    /// Shortens the part that was taken last. Where it cannot, the stretch in hand is given up, and a look is due.
    /// - Returns: whether it could.
    func cut(_ part: inout Stretch.Part, behind last: Key) -> Bool {
        if stretch?.cut(&part, behind: last) == true { return true }
        stretch = nil
        return false
    }
}
