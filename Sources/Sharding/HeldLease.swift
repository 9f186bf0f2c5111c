/// A lease that a worker holds, with the progress of its shard.
public struct HeldLease: Equatable, Sendable {
    public var lease: Lease
    /// Batches committed on the shard in all leases.
    public var sequence: Int64
    /// Rows updated on the shard in all leases.
    public var rowsDone: Int64
    /// The row limit of a batch after a timeout has lowered it; 0 while the job's own limit holds.
    public var batchRows: Int
    public init(lease: Lease, sequence: Int64, rowsDone: Int64, batchRows: Int = 0) {
        self.batchRows = batchRows
        self.lease = lease
        self.sequence = sequence
        self.rowsDone = rowsDone
    }
}
