/// Where a shard stands, as its row in the ledger says.
public struct Position: Equatable, Sendable {
    /// What of the range is done.
    public var cursor: Cursor
    /// Keys of rows that the cursor has passed and somebody changed or held meanwhile: to be seen to again.
    public var deferred: [Key]
    /// Batches committed on the shard in all leases.
    public var sequence: Int64
    /// Rows updated on the shard in all leases.
    public var rowsDone: Int64
    /// Rows that a batch may have, when a timeout has made batches smaller than the job says; 0 otherwise.
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
