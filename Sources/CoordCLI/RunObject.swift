import Ledger
import Report
import Sharding

struct RunObject: Encodable {
    var run: Int64
    var job: String
    var state: String
    var coordinator: Nullable<String>
    var rowsDone: Int64
    var rowsEstimated: Int64
    var rowsPerSecond: Double
    var etaSeconds: Nullable<Int64>
    var shards: ShardCountsObject
    var workers: [WorkerObject]
    /// Who asked that the run be paused; null where nobody did.
    var pausedBy: Nullable<String>
    /// The limits of its pace; null where nobody has set any.
    var pace: Nullable<PaceObject>
    var table: String
    /// The role that made the run; empty where the ledger does not say.
    var user: String
    /// UTC, in ISO 8601; null while it has not come.
    var startedAt: Nullable<String>
    var finishedAt: Nullable<String>
    /// From the start to the end, pauses included; null before the end.
    var durationSeconds: Nullable<Double>
    /// Rows over that time; null before the end.
    var averageRowsPerSecond: Nullable<Double>
    /// The rows that came above the last key while the run was under way, and are not changed; null before its end.
    var rowsAbove: Nullable<Int64>
    /// What has become of the table's storage; null where nobody measured.
    var storage: Nullable<StorageObject>

    init(_ record: RunRecord, _ workers: [WorkerRecord], storage: StorageChange? = nil) {
        self.storage = Nullable(storage.map(StorageObject.init))
        run = record.id.rawValue
        job = record.definition.name
        state = record.state.rawValue
        coordinator = Nullable(record.coordinator)
        pausedBy = Nullable(record.state.isUnfinished ? record.pausedBy : nil)
        pace = Nullable(record.state.isUnfinished ? record.pace.map { PaceObject($0) } : nil)
        rowsDone = record.rowsDone
        rowsEstimated = record.rowsEstimated
        // A coordinator that died has left its last rate behind.
        let rate = record.coordinator == nil ? 0 : record.rowsPerSecond
        rowsPerSecond = rounded(rate)
        let timeLeft = TimeLeft.of(
            rowsDone: record.rowsDone, rowsEstimated: record.rowsEstimated, rowsPerSecond: rate, shards: record.counts)
        etaSeconds = Nullable(record.state.isUnfinished ? timeLeft?.components.seconds : nil)
        shards = ShardCountsObject(record.counts)
        self.workers = workers.map { WorkerObject($0) }
        table = record.definition.table
        rowsAbove = Nullable(record.rowsAbove)
        user = record.user
        startedAt = Nullable(record.startedAt.flatMap { UTCTime.text(seconds: $0) })
        finishedAt = Nullable(record.finishedAt.flatMap { UTCTime.text(seconds: $0) })
        var duration: Double?
        if let start = record.startedAt, let end = record.finishedAt, end >= start { duration = end - start }
        durationSeconds = Nullable(duration.map { rounded($0) })
        averageRowsPerSecond = Nullable(duration.map { rounded(Double(record.rowsDone) / max($0, 0.001)) })
    }
}
