import Postgres
import Sharding

/// The shard's row after a batch, as the batch's statement returns it.
package struct BatchOutcome: Sendable, Equatable {
    package var cursor: Cursor
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
        cursor: Cursor, sequence: Int64, rowsDone: Int64, done: Bool, deferred: [Key] = [], changed: Int64? = nil,
        isLast: Bool? = nil, attempted: [Key]? = nil
    ) {
        self.cursor = cursor
        self.sequence = sequence
        self.rowsDone = rowsDone
        self.done = done
        self.deferred = deferred
        self.changed = changed
        self.isLast = isLast
        self.attempted = attempted
    }

    /// Columns of all statements that write: the cursor, sequence, rows_done, done, deferred.
    /// - Returns: nil where the fence refused the batch.
    /// - Throws: `DamagedAnswer` where the ledger's row holds what no batch has written.
    private init?(_ result: PostgresResult, _ key: KeySchema) throws(DamagedAnswer) {
        guard result.rows == 1 else { return nil }
        let cursor = Cursor(
            checkpoint: result.text(0, 0), stretchEnd: result.text(0, 1), stripe: result.text(0, 2),
            stripeKey: result.text(0, 3))
        guard let cursor, let sequence = result.int(0, 4), let rowsDone = result.int(0, 5),
            let done = result.bool(0, 6)
        else { throw DamagedAnswer() }
        self.init(
            cursor: cursor, sequence: sequence, rowsDone: rowsDone, done: done,
            deferred: key.keys(texts: result.text(0, 7)))
    }

    /// A batch's answer that says nothing that a shard's row can hold.
    struct DamagedAnswer: Error, CustomStringConvertible {
        var description: String {
            "the shard's row in the ledger holds what no batch writes: somebody has changed it by hand"
        }
    }

    /// Of `BatchStatements.apply` and `applyDeferred`.
    init?(ofSet result: PostgresResult, _ key: KeySchema) throws(DamagedAnswer) {
        try self.init(result, key)
        isLast = result.bool(0, 8)
    }

    /// Of `BatchStatements.write`.
    init?(ofWrite result: PostgresResult, _ key: KeySchema) throws(DamagedAnswer) {
        try self.init(result, key)
        changed = result.int(0, 8)
        if result.columns > 9 { attempted = key.keys(texts: result.text(0, 9)) }
    }
}
