public import Sharding

/// A shard that failed, with its last error.
public struct FailedShard: Sendable, Equatable {
    public var shard: ShardID
    public var range: KeyRange
    public var error: String
    /// The same as values. Empty where it failed under an earlier coordinator: the ledger has the text alone.
    public var cause: FailureCause

    public init(shard: ShardID, range: KeyRange, error: String, cause: FailureCause = FailureCause()) {
        self.shard = shard
        self.range = range
        self.error = error
        self.cause = cause
    }
}
