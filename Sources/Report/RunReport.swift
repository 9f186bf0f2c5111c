public import Sharding

/// How a run is at one moment: how far, how fast, who works, and all that holds it up. For people: whether a run is
/// complete is a question to the ledger alone.
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
    /// 0 of each before they were counted.
    public var shards: ShardCounts
    /// The workers that are here, by host and pid.
    public var workers: [WorkerProgress]
    /// What holds at this moment and is not as usual, the most important first; none while all goes well.
    public var conditions: [RunCondition]
    /// How many more hold: their number is limited.
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

    /// Percent done, 0 to 100: of the rows, or of the shards where no estimate exists.
    ///
    /// 100 exactly when every shard is done. Until then at most 99, however wrong the estimate is.
    public var percent: Int {
        if shards.areDone { return 100 }
        if rowsEstimated > 0 {
            // Multiplied first, so that 29 of 100 is 29 and not 28.999.
            let rows = Double(min(max(0, rowsDone), rowsEstimated))
            return min(99, Int(rows * 100 / Double(rowsEstimated)))
        }
        return shards.total > 0 ? min(99, max(0, shards.done * 100 / shards.total)) : 0
    }
}
