public import Sharding

/// How a run's coordination ended.
public struct RunOutcome: Sendable, Equatable {
    public var state: RunState
    /// Without conditions: what held has ended with it.
    public var report: RunReport
    /// Every worker that took part, with its peak memory.
    public var workers: [WorkerProgress]
    /// The shards that failed; nil where the ledger was not asked.
    public var failures: [FailedShard]?
    /// Rows above the run's last key, which came while it was under way and are not changed; counted up to a limit. Nil
    /// where nobody counted.
    public var rowsAbove: Int64?
    /// Rows whose update the database suppressed, such as by a trigger.
    public var rowsUnchanged: Int64
    /// What has become of the table's storage; nil where nobody measured.
    public var storage: StorageChange?

    public init(
        state: RunState, report: RunReport, workers: [WorkerProgress], failures: [FailedShard]? = nil,
        rowsAbove: Int64? = nil, rowsUnchanged: Int64 = 0, storage: StorageChange? = nil
    ) {
        self.state = state
        self.report = report
        self.report.conditions = []
        self.report.conditionsLeftOut = 0
        self.workers = workers
        self.failures = failures
        self.rowsAbove = rowsAbove
        self.rowsUnchanged = rowsUnchanged
        self.storage = storage
    }
}
