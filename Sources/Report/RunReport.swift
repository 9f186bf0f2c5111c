public import Sharding

/// The state of a run at one moment: how much is done, how fast, by which workers, and what hinders it. It is for
/// people: whether a run is complete is a question to the ledger alone.
public struct RunReport: Sendable, Equatable {
    public var run: RunID
    public var job: String
    /// Rows updated in this run, by all coordinators and workers.
    public var rowsDone: Int64
    /// Rows in scope as planned from statistics, which may be wrong; 0 when unknown.
    public var rowsEstimated: Int64
    /// Rows a second over the last 10 s, or since this coordinator began if that is less.
    public var rowsPerSecond: Double
    /// Time left at this rate, by `TimeLeft`.
    public var timeLeft: Duration?
    /// Time since this coordinator began.
    public var elapsed: Duration
    /// The shards by state; 0 of each before the first count.
    public var shards: ShardCounts
    /// The present workers, by host and pid.
    public var workers: [WorkerProgress]
    /// Nil if nobody grants turns to write.
    public var inFlight: InFlight?
    /// The conditions that hold, the most important first; none if all goes well.
    public var conditions: [RunCondition]
    /// The number of further conditions that hold: a report lists a limited number.
    public var conditionsLeftOut: Int

    public init(
        run: RunID, job: String, rowsDone: Int64 = 0, rowsEstimated: Int64 = 0, rowsPerSecond: Double = 0,
        timeLeft: Duration? = nil, elapsed: Duration = .zero, shards: ShardCounts = ShardCounts(),
        workers: [WorkerProgress] = [], conditions: [RunCondition] = [], conditionsLeftOut: Int = 0
    ) {
        self.run = run
        self.job = job
        self.rowsDone = rowsDone
        self.rowsEstimated = rowsEstimated
        self.rowsPerSecond = rowsPerSecond
        self.timeLeft = timeLeft
        self.elapsed = elapsed
        self.shards = shards
        self.workers = workers
        self.conditions = conditions
        self.conditionsLeftOut = conditionsLeftOut
    }

    /// Whether it is known why no batch commits, where none does.
    public var isUnderstood: Bool {
        var isUnexplained = false
        for condition in conditions {
            switch condition {
            case .stalled(let stall): isUnexplained = stall.holders.isEmpty
            case .windingDown, .paced, .databaseAway, .databaseReadOnly, .ledgerLocked, .workersEnd, .cannotSpawn,
                .noWorkers, .hostAway, .cannotBegin, .workerWaits:
                return true
            case .fewHotUpdates, .workerSilent: break
            }
        }
        return !isUnexplained
    }

    /// The share done in percent, 0 to 100: of the rows, or of the shards if there is no estimate of the rows.
    ///
    /// It is 100 exactly when every shard is done. Until then it is at most 99, however wrong the estimate is.
    public var percent: Int {
        if shards.areDone { return 100 }
        if rowsEstimated > 0 {
            // The multiplication comes first, so that 29 of 100 gives 29 and not 28.999.
            let rows = Double(min(max(0, rowsDone), rowsEstimated))
            return min(99, Int(rows * 100 / Double(rowsEstimated)))
        }
        return shards.total > 0 ? min(99, max(0, shards.done * 100 / shards.total)) : 0
    }
}
