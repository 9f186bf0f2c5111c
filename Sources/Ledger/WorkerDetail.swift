package import Sharding

/// A worker that a run has, or has had, for people. Times are seconds since the epoch, on the database's clock.
package struct WorkerDetail: Sendable, Equatable {
    package var record: WorkerRecord
    /// Whether it is at work, as far as its coordinator has told.
    package var isPresent: Bool
    /// When its coordinator first told of it; nil where an older version did.
    package var joinedAt: Double?
    /// When its coordinator last told of it.
    package var seenAt: Double
    /// When it left; nil for a worker at work, and where nobody was there to tell.
    package var leftAt: Double?

    package init(
        record: WorkerRecord, isPresent: Bool, joinedAt: Double?, seenAt: Double, leftAt: Double? = nil
    ) {
        self.record = record
        self.isPresent = isPresent
        self.joinedAt = joinedAt
        self.seenAt = seenAt
        self.leftAt = leftAt
    }
}
