/// The state of a shard, as the ledger holds it.
///
/// - `pending`: leaves by a lease, to `running`.
/// - `running`: leaves by its last batch, to `done`; by the end of an attempt or by a cancel, to `pending`; by a
///   failure that exhausts its attempts or is permanent, to `failed`.
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
