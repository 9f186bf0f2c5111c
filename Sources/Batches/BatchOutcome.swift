import Postgres
import Sharding

/// The shard's row after a batch, as the batch's statement returns it.
package struct BatchOutcome: Sendable, Equatable {
    package var checkpoint: Key?
    package var sequence: Int64
    package var rowsDone: Int64
    package var done: Bool
    package var deferred: [Key]
    /// Rows that a computed batch changed.
    package var changed: Int64?
    /// A batch that PostgreSQL computed was the last of its range.
    package var isLast: Bool?
    /// Where a computed batch went around held rows: the keys of those that nobody held.
    package var attempted: [Key]?

    package init(
        checkpoint: Key?, sequence: Int64, rowsDone: Int64, done: Bool, deferred: [Key] = [], changed: Int64? = nil,
        isLast: Bool? = nil, attempted: [Key]? = nil
    ) {
        self.checkpoint = checkpoint
        self.sequence = sequence
        self.rowsDone = rowsDone
        self.done = done
        self.deferred = deferred
        self.changed = changed
        self.isLast = isLast
        self.attempted = attempted
    }

    /// Columns of all statements that write: checkpoint, sequence, rows_done, done, deferred.
    /// - Returns: nil where the fence refused the batch.
    private init?(_ result: PostgresResult, _ key: KeySchema) {
        guard result.rows == 1 else { return nil }
        self.init(
            checkpoint: Key(literal: result.text(0, 0)), sequence: result.int(0, 1) ?? 0,
            rowsDone: result.int(0, 2) ?? 0, done: result.bool(0, 3) ?? false,
            deferred: key.keys(texts: result.text(0, 4)))
    }

    /// Of `BatchStatements.apply` and `applyDeferred`.
    init?(ofSet result: PostgresResult, _ key: KeySchema) {
        self.init(result, key)
        isLast = result.bool(0, 5)
    }

    /// Of `BatchStatements.write`.
    init?(ofWrite result: PostgresResult, _ key: KeySchema) {
        self.init(result, key)
        changed = result.int(0, 5)
        if result.columns > 6 { attempted = key.keys(texts: result.text(0, 6)) }
    }
}
