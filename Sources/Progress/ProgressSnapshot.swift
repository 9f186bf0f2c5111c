public import Sharding

/// How far a run is at one moment. For people: whether a run is complete is a question to the ledger alone.
public struct ProgressSnapshot: Sendable, Equatable {
    public var run: RunID
    public var job: String
    /// Rows updated in this run, by all coordinators and workers.
    public var rowsDone: Int64
    /// Rows in scope as planned from statistics, which may be wrong; 0 when unknown.
    public var rowsEstimated: Int64
    /// Rows a second over the last 10 s, or since this coordinator began if that is less.
    public var rowsPerSecond: Double
    /// Time left at this rate; nil when the rate is 0, or too little is known.
    public var eta: Duration?
    /// Time since this coordinator began.
    public var elapsed: Duration
    /// Shards that wait for a worker.
    public var pending: Int
    /// Shards that a worker holds.
    public var running: Int
    /// Shards whose every row is committed.
    public var done: Int
    /// Shards that are not tried again without a human.
    public var failed: Int
    /// The workers that are here, by host and pid.
    public var workers: [WorkerProgress]
    /// Why the run waits, such as "waiting for workers", by `NoteSource`; none when it does not.
    public var notes: [String]

    public init(
        run: RunID, job: String, rowsDone: Int64 = 0, rowsEstimated: Int64 = 0, rowsPerSecond: Double = 0,
        eta: Duration? = nil, elapsed: Duration = .zero, pending: Int = 0, running: Int = 0, done: Int = 0,
        failed: Int = 0, workers: [WorkerProgress] = [], notes: [String] = []
    ) {
        self.run = run
        self.job = job
        self.rowsDone = rowsDone
        self.rowsEstimated = rowsEstimated
        self.rowsPerSecond = rowsPerSecond
        self.eta = eta
        self.elapsed = elapsed
        self.pending = pending
        self.running = running
        self.done = done
        self.failed = failed
        self.workers = workers
        self.notes = notes
    }

    /// All of `notes` in one line; nil when there is none.
    public var note: String? { notes.isEmpty ? nil : notes.joined(separator: "; ") }

    /// All shards of the run; 0 before they were counted.
    public var shards: Int { pending + running + done + failed }

    /// Percent done, 0 to 100: of the rows, or of the shards where no estimate exists.
    ///
    /// 100 exactly when every shard is done. Until then at most 99, however wrong the estimate is.
    public var percent: Int {
        if shards > 0, done == shards { return 100 }
        if rowsEstimated > 0 {
            // Multiplied first, so that 29 of 100 is 29 and not 28.999.
            let rows = Double(min(max(0, rowsDone), rowsEstimated))
            return min(99, Int(rows * 100 / Double(rowsEstimated)))
        }
        return shards > 0 ? min(99, max(0, done * 100 / shards)) : 0
    }
}
