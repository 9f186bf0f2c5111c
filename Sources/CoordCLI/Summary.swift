import Coordinator
import Host
import Job
import Ledger
import Report
import Sharding

/// What a run came to, as `start` and `resume` say it last of all.
struct Summary: Encodable {
    struct FailureObject: Encodable {
        var shard: Int32
        var after: Nullable<KeyObject>
        var through: Nullable<KeyObject>
        var error: String
        /// What is known of the error as values: each null where it is not.
        var cause: Nullable<String>
        var sqlstate: Nullable<String>
        var key: Nullable<KeyObject>
        var column: Nullable<String>
        var effect: Nullable<String>

        init(_ failed: FailedShard) {
            shard = failed.shard.rawValue
            after = Nullable(failed.range.after.map(KeyObject.init))
            through = Nullable(failed.range.through.map(KeyObject.init))
            error = failed.error
            cause = Nullable(failed.cause.kind.map(CauseMembers.word(for:)))
            sqlstate = Nullable(failed.cause.sqlState)
            key = Nullable(failed.cause.key.map(KeyObject.init))
            column = Nullable(failed.cause.column)
            effect = Nullable(failed.cause.effect.map(CauseMembers.word(for:)))
        }
    }

    var messageType = "summary"
    var run: Int64
    var job: String
    var state: RunState
    var rowsDone: Int64
    var rowsEstimated: Int64
    var elapsedSeconds: Double
    var rowsPerSecond: Double
    var shards: ShardCountsObject
    /// Null where the ledger was not asked.
    var failures: Nullable<[FailureObject]>
    var workers: [WorkerObject]
    var coordinatorPeakRssBytes: Int64
    /// Why the coordinator stopped; null when it did what was asked.
    var error: Nullable<String>
    /// Rows above the run's last key, which came while it was under way; null where nobody counted.
    var rowsAbove: Nullable<Int64> = Nullable(nil)
    /// Rows whose update the database suppressed.
    var rowsUnchanged: Int64 = 0
    /// What has become of the table's storage; null where nobody measured.
    var storage: Nullable<StorageObject> = Nullable(nil)

    /// - Parameter error: why the coordinator stopped, when it was not for the run's end or a drain.
    init(
        _ outcome: RunOutcome, run opened: RunOpening.Opened, elapsed: Duration,
        error: (any Error)? = nil
    ) {
        let seconds = elapsed / .seconds(1)
        run = opened.ownership.run.rawValue
        job = opened.job.name
        state = outcome.state
        rowsDone = outcome.report.rowsDone
        rowsEstimated = outcome.report.rowsEstimated
        elapsedSeconds = (seconds * 1000).rounded() / 1000
        rowsPerSecond = rounded(Double(outcome.report.rowsDone - opened.rowsDone) / max(seconds, 0.001))
        shards = ShardCountsObject(outcome.report.shards)
        failures = Nullable(outcome.failures?.map { FailureObject($0) })
        workers = outcome.workers.map { WorkerObject($0) }
        coordinatorPeakRssBytes = ProcessMemory.read().peak
        self.error = Nullable(error.map { Suggestion.completed("\($0)") })
        rowsAbove = Nullable(outcome.rowsAbove)
        rowsUnchanged = outcome.rowsUnchanged
        storage = Nullable(outcome.storage.map(StorageObject.init))
    }

    /// Of a run whose coordinator has stopped before it began.
    init(untouched opened: RunOpening.Opened, error: any Error) {
        run = opened.ownership.run.rawValue
        job = opened.job.name
        state = .running
        rowsDone = opened.rowsDone
        rowsEstimated = opened.rowsEstimated
        elapsedSeconds = 0
        rowsPerSecond = 0
        shards = ShardCountsObject(opened.counts)
        failures = Nullable(nil)
        workers = []
        coordinatorPeakRssBytes = ProcessMemory.read().peak
        self.error = Nullable(Suggestion.completed("\(error)"))
    }

    /// Of a run that was complete already: this process has done nothing.
    init(complete record: RunRecord, workers: [WorkerRecord]) {
        run = record.id.rawValue
        job = record.definition.name
        state = record.state
        rowsDone = record.rowsDone
        rowsEstimated = record.rowsEstimated
        elapsedSeconds = 0
        rowsPerSecond = 0
        shards = ShardCountsObject(record.counts)
        failures = Nullable([])
        self.workers = workers.map { WorkerObject($0) }
        coordinatorPeakRssBytes = ProcessMemory.read().peak
        error = Nullable(nil)
    }

    /// Whether there is nothing left to resume.
    var isOver: Bool { !state.isUnfinished }

    /// Workers whose memory the text names.
    static let workerLimit = 5
    /// Failed shards that the text names.
    static let failureLimit = 10

    /// Tells of rows that came above the last key; nil if there are none.
    static func above(_ rows: Int64?) -> String? {
        guard let rows, rows > 0 else { return nil }
        let more = rows >= CoordinatorService.rowsAboveLimit ? " or more" : ""
        return "\(NumberFormat.grouped(rows))\(more) rows came above the last key while it ran, and are not changed"
    }

    var text: String {
        var lines: [String] = [
            "run \(run) of \(job.visible): \(state)",
            "  \(NumberFormat.grouped(rowsDone)) rows changed, "
                + "\(NumberFormat.grouped(Int64(rowsPerSecond))) rows/s, \(elapsedSeconds) s",
            "  shards: \(shards.done) done, \(shards.failed) failed, \(shards.pending + shards.running) open",
        ]
        if let storage = storage.value?.text { lines.append("  \(storage)") }
        lines.append(
            "  peak memory: coordinator \(NumberFormat.bytes(coordinatorPeakRssBytes))")
        if rowsUnchanged > 0 {
            lines.append(
                "  \(NumberFormat.grouped(rowsUnchanged)) rows were left as they are: a trigger of the database suppresses "
                    + "their update")
        }
        if let above = Self.above(rowsAbove.value) { lines.append("  \(above)") }
        // In the order of their names where all are shown; else those that took most.
        let most = workers.count > Self.workerLimit ? workers.sorted { $0.peakRssBytes > $1.peakRssBytes } : workers
        for worker in most.prefix(Self.workerLimit) {
            lines.append(
                "    worker \(worker.host.visible):\(worker.pid)  \(NumberFormat.bytes(worker.peakRssBytes))")
        }
        if most.count > Self.workerLimit { lines.append("    … and \(most.count - Self.workerLimit) more workers") }
        let failures = failures.value ?? []
        for failure in failures.prefix(Self.failureLimit) {
            let range = KeyRange(after: failure.after.value?.key, through: failure.through.value?.key).description
            lines.append("  shard \(failure.shard) \(range.visible) failed: \(failure.error.indented)")
        }
        if failures.count > Self.failureLimit {
            lines.append("  … and \(failures.count - Self.failureLimit) more: coord shards \(run)")
        }
        switch state {
        case .partial, .failed: lines.append("  mend the cause, then: coord resume \(run)")
        case .paused: lines.append("  coord resume \(run)   goes on where it stopped")
        case .planned, .running, .complete, .cancelled: break
        }
        return lines.joined(separator: "\n")
    }
}
