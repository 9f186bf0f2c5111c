public import Sharding

/// A piece of work on the batch in hand. At most one, other than `discard`, is under way at any time, and its answer is the one
/// event that names it, or `stepFailed`.
public enum WorkerStep: Equatable, Sendable {
    /// Enter the session in the shard's ledger row. Answer with `leaseOpened` or `stepFailed`.
    ///
    /// `batchRows` is what another worker found that a batch may have, or 0.
    case open(Lease, batchRows: Int = 0)
    /// Set-based: run the batch statement. Answer with `batchCommitted` or `stepFailed`.
    case apply(Lease, Position)
    /// Row-based: read the next batch, `locking` its rows in a transaction that stays open until the write.
    /// Answer with `batchRead` or `stepFailed`.
    case read(Lease, Position, locking: Bool)
    /// Row-based: compute the batch that was read. Answer with `batchComputed` or `stepFailed`.
    case compute
    /// Row-based: write the computed batch with its checkpoint, and read the next one in the same round trip when
    /// `readNext`. Answer with `batchCommitted` or `stepFailed`.
    case write(Lease, Position, readNext: Bool)
    /// Throw away rows that were read or computed. It has no answer.
    case discard
}
