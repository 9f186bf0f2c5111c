public import Sharding

/// A piece of work on the batch in hand. Apart from `discard`, at most one step is under way at any time. Its answer is
/// the event named below, or `stepFailed`.
public enum WorkerStep: Equatable, Sendable {
    /// Enter the session in the shard's ledger row. Answer with `leaseOpened` or `stepFailed`.
    ///
    /// `batchRows` is the row limit of a batch after timeouts have lowered it, or 0.
    case open(Lease, batchRows: Int = 0)
    /// Set-based: run the batch statement. Answer with `batchCommitted` or `stepFailed`.
    case apply(Lease, Position)
    /// Row-based: read the next batch, `locking` its rows in a transaction that stays open until the write.
    /// Answer with `batchRead` or `stepFailed`.
    case read(Lease, Position, locking: Bool)
    /// Row-based: compute the batch that was read. Answer with `batchComputed` or `stepFailed`.
    case compute
    /// Row-based: write the computed batch with its checkpoint. If `readNext`, read the next batch in the same round
    /// trip. Answer with `batchCommitted` or `stepFailed`.
    case write(Lease, Position, readNext: Bool)
    /// Throw away the rows that were read or computed. It has no answer.
    case discard
}
