/// Where a shard stands, as its row in the ledger says.
public struct Position: Equatable, Sendable {
    /// The last key whose batch has committed; nil before the first.
    public var checkpoint: Key?
    /// Keys at or below the checkpoint that somebody changed between read and write: to be read and computed again.
    public var deferred: [Key]
    /// Batches committed on the shard in all leases.
    public var sequence: Int64
    /// Rows updated on the shard in all leases.
    public var rowsDone: Int64
    /// Rows that a batch may have, when a timeout has made batches smaller than the job says; 0 otherwise.
    public var batchRows: Int

    public init(
        checkpoint: Key? = nil, deferred: [Key] = [], sequence: Int64 = 0, rowsDone: Int64 = 0, batchRows: Int = 0
    ) {
        self.batchRows = batchRows
        self.checkpoint = checkpoint
        self.deferred = deferred
        self.sequence = sequence
        self.rowsDone = rowsDone
    }
}
