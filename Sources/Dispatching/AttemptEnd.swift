public import Sharding

/// How an attempt ended short of the end of its shard.
public struct AttemptEnd: Equatable, Sendable {
    public enum Outcome: String, Sendable, CaseIterable {
        /// The worker reported an error.
        case failed
        /// The worker was silent for longer than its lease.
        case expired
        /// The worker's batches stopped advancing, though it was heard.
        case stalled
        /// The worker gave the lease back, or left before it began.
        case released
        /// The worker cannot do this job, or not now: its program ended before it had answered a row. That says nothing of
        /// the shard.
        case unfit

        /// Whether the shard has one attempt less by it.
        public var countsAgainstShard: Bool { self != .released && self != .unfit }
    }

    public var outcome: Outcome
    public var error: String?
    /// No retry can help.
    public var permanent: Bool
    /// The error as values.
    public var cause: FailureCause

    public init(
        _ outcome: Outcome, error: String? = nil, permanent: Bool = false, cause: FailureCause = FailureCause()
    ) {
        self.outcome = outcome
        self.error = error
        self.permanent = permanent
        self.cause = cause
    }
}
