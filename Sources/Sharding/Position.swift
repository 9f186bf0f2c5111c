/// How far a shard is, as its row in the ledger says.
public struct Position: Equatable, Sendable {
    /// The done part of the range.
    public var cursor: Cursor
    /// Keys that the cursor has passed, but whose rows are still to be done: another session changed or held them.
    public var deferred: [Key]
    /// Batches committed on the shard in all leases.
    public var sequence: Int64
    /// Rows updated on the shard in all leases.
    public var rowsDone: Int64
    /// The row limit of a batch after a timeout has lowered it; 0 while the job's own limit holds.
    public var batchRows: Int

    public init(
        _ cursor: Cursor = .start, deferred: [Key] = [], sequence: Int64 = 0, rowsDone: Int64 = 0, batchRows: Int = 0
    ) {
        self.batchRows = batchRows
        self.cursor = cursor
        self.deferred = deferred
        self.sequence = sequence
        self.rowsDone = rowsDone
    }
}
