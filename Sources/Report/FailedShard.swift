public import Sharding

/// A shard that failed, with its last error.
public struct FailedShard: Sendable, Equatable {
    public var shard: ShardID
    public var range: KeyRange
    public var error: String
    /// The same error as values. Empty if the shard failed under an earlier coordinator: the ledger keeps only the
    /// text.
    public var cause: FailureCause

    public init(shard: ShardID, range: KeyRange, error: String, cause: FailureCause = FailureCause()) {
        self.shard = shard
        self.range = range
        self.error = error
        self.cause = cause
    }
}
