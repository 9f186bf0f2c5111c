public import Sharding

/// The end of an attempt that has not finished its shard.
public struct AttemptEnd: Equatable, Sendable {
    public enum Outcome: String, Sendable, CaseIterable {
        /// The worker reported an error.
        case failed
        /// The worker was silent for longer than its lease.
        case expired
        /// The worker's batches stopped advancing, though it was heard.
        case stalled
        /// The worker gave the lease back or left, or no shard of the run can go on.
        case released
        /// The worker cannot do this job, at least not now: its program ended before it had answered a row. This says
        /// nothing about the shard.
        case unfit

        /// Whether the end uses up one of the shard's attempts.
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
