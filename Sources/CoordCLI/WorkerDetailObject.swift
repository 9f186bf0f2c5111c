import Ledger
import Sharding

/// A worker as `coord workers` shows it. Times are UTC, in ISO 8601.
struct WorkerDetailObject: Encodable {
    var host: String
    var pid: Int32
    /// Whether it is at work, as far as its coordinator has told.
    var present: Bool
    var shard: Nullable<Int32>
    /// The step under way, or what it waits for; null where it has left, or nobody has said.
    var activity: Nullable<String>
    var rowsDone: Int64
    var rowsPerSecond: Double
    var rssBytes: Int64
    var peakRssBytes: Int64
    /// Null where an older version noted the worker.
    var joinedAt: Nullable<String>
    var seenAt: Nullable<String>
    /// Null for a worker at work, and where nobody was there to tell.
    var leftAt: Nullable<String>

    init(_ worker: WorkerDetail) {
        let record = worker.record
        host = record.host
        pid = record.pid
        present = worker.isPresent
        shard = Nullable(record.shard?.rawValue)
        activity = Nullable(worker.isPresent && !record.activity.isEmpty ? record.activity : nil)
        rowsDone = record.rowsDone
        rowsPerSecond = worker.isPresent ? rounded(record.rowsPerSecond) : 0
        rssBytes = record.rssBytes
        peakRssBytes = record.peakRSSBytes
        joinedAt = Nullable(worker.joinedAt.flatMap { UTCTime.text(seconds: $0) })
        seenAt = Nullable(UTCTime.text(seconds: worker.seenAt))
        leftAt = Nullable(worker.leftAt.flatMap { UTCTime.text(seconds: $0) })
    }
}
