/// A lease that a worker holds, with the progress of its shard.
public struct HeldLease: Equatable, Sendable {
    public var lease: Lease
    /// Batches committed on the shard in all leases.
    public var sequence: Int64
    /// Rows updated on the shard in all leases.
    public var rowsDone: Int64
    /// Rows that a batch may have, when a timeout has made batches smaller than the job says; 0 otherwise.
    public var batchRows: Int
    public init(lease: Lease, sequence: Int64, rowsDone: Int64, batchRows: Int = 0) {
        self.batchRows = batchRows
        self.lease = lease
        self.sequence = sequence
        self.rowsDone = rowsDone
    }
}
