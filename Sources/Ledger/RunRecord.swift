public import Sharding

/// A run's row in the ledger.
public struct RunRecord: Sendable, Equatable {
    public var id: RunID
    public var definition: RunDefinition
    public var state: RunState
    public var cancelAsked: Bool
    public var rowsEstimated: Int64
    public var rowsDone: Int64
    public var rowsPerSecond: Double
    public var counts: ShardCounts
    /// Host and pid of the coordinator, while one is alive.
    public var coordinator: String?
    /// Seconds since the epoch.
    public var startedAt: Double?
    public var finishedAt: Double?
    /// The rows that came above the last key during the run, as far as they were counted; nil before its end.
    public var rowsAbove: Int64?
    /// Grows with each coordinator that takes the run over, with a cancel, and with a pause of a run without one.
    public var term: Int64
    /// The role that made the run.
    public var user = ""
    /// Who asked that the run be paused, until somebody resumes it by its number; nil where nobody did.
    public var pausedBy: String?
    /// The limits that somebody has set and that hold now; nil for none.
    public var pace: Pace?
}
