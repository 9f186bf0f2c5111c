public import Sharding

/// How a run's coordination ended.
public struct RunOutcome: Sendable, Equatable {
    public var state: RunState
    /// The last report. It has no conditions: they have ended with the run.
    public var report: RunReport
    /// Every worker that took part, with its peak memory.
    public var workers: [WorkerProgress]
    /// The shards that failed; nil if the ledger was not asked.
    public var failures: [FailedShard]?
    /// The number of rows that came above the run's last key during the run. They are not changed, and are counted up
    /// to a limit. Nil if they were not counted.
    public var rowsAbove: Int64?
    /// Rows whose update the database suppressed, such as by a trigger.
    public var rowsUnchanged: Int64
    /// The change of the table's storage; nil if it was not measured.
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
