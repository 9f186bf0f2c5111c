import Postgres
import Sharding

/// The shard's row after a batch, as the batch's statement returns it.
package struct BatchOutcome: Sendable, Equatable {
    package var cursor: Cursor
    package var sequence: Int64
    package var rowsDone: Int64
    package var done: Bool
    package var deferred: [Key]
    /// Computed batches: the number of changed rows.
    package var changed: Int64?
    /// `set` batches: whether the batch was the last of its range.
    package var isLast: Bool?
    /// Computed batches that leave held rows out: the keys of the rows that were free.
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
    /// - Throws: `DamagedAnswer` when the ledger's row holds values that no batch writes.
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

    /// An unreadable answer of a batch.
    package struct DamagedAnswer: Error, CustomStringConvertible {
        package init() {}

        package var description: String {
            "the shard's row in the ledger holds what no batch writes: somebody has changed it by hand"
        }
    }

    /// Reads the answer of `BatchStatements.apply` and `applyDeferred`.
    init?(ofSet result: PostgresResult, _ key: KeySchema) throws(DamagedAnswer) {
        try self.init(result, key)
        isLast = result.bool(0, 8)
    }

    /// Reads the answer of `BatchStatements.write`.
    init?(ofWrite result: PostgresResult, _ key: KeySchema) throws(DamagedAnswer) {
        try self.init(result, key)
        changed = result.int(0, 8)
        if result.columns > 9 { attempted = key.keys(texts: result.text(0, 9)) }
    }
}
