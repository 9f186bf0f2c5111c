/// The state of a shard, as the ledger holds it.
///
/// - `pending`: leaves by a lease, to `running`.
/// - `running`: leaves by its last batch, to `done`; by a failed, expired or released attempt or a
///   cancel, to `pending`; by the
///   last attempt that failed, to `failed`.
/// - `done`: never left.
/// - `failed`: left by `coord resume`, to `pending`.
public enum ShardState: String, Sendable, CaseIterable {
    case pending
    case running
    case done
    case failed
}

/// A shard as the ledger holds it: what the coordinator needs to dispatch it.
public struct ShardRecord: Sendable, Equatable {
    public var id: ShardID
    public var state: ShardState
    public var epoch: Epoch
    public var owner: WorkerID?
    /// Attempts that failed one after another without a batch in between.
    public var failures: Int
    public var sequence: Int64
    public var rowsDone: Int64
    public var rowsEstimated: Int64
    public var error: String?

    public init(
        id: ShardID, state: ShardState = .pending, epoch: Epoch = Epoch(0), owner: WorkerID? = nil, failures: Int = 0,
        sequence: Int64 = 0, rowsDone: Int64 = 0, rowsEstimated: Int64 = 0, error: String? = nil
    ) {
        self.id = id
        self.state = state
        self.epoch = epoch
        self.owner = owner
        self.failures = failures
        self.sequence = sequence
        self.rowsDone = rowsDone
        self.rowsEstimated = rowsEstimated
        self.error = error
    }
}

/// When a shard whose attempt failed is tried again.
public struct RetryPolicy: Sendable, Equatable {
    /// Attempts without progress before the shard counts as failed.
    public var attempts: Int
    public var backoff: Duration
    public var maxBackoff: Duration

    public init(attempts: Int = 5, backoff: Duration = .seconds(1), maxBackoff: Duration = .seconds(30)) {
        self.attempts = attempts
        self.backoff = backoff
        self.maxBackoff = maxBackoff
    }

    /// Exponential backoff with full jitter over its upper half: `backoff * 2^(failures-1)`, capped, times 0.5...1.
    ///
    /// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("equal jitter").
    public func delay(failures: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        let doublings = min(max(failures - 1, 0), 20)
        let ceiling = min(backoff * (1 << doublings), maxBackoff)
        return ceiling * Double.random(in: 0.5...1, using: &generator)
    }
}
