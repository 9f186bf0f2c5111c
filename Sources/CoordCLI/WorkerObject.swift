import Report
import Sharding

struct WorkerObject: Encodable {
    var host: String
    var pid: Int32
    var shard: Nullable<Int32>
    var rowsDone: Int64
    var rowsPerSecond: Double
    var rssBytes: Int64
    var peakRssBytes: Int64
    /// Null where only the ledger was asked, which does not know.
    var programRssBytes: Nullable<Int64>
    /// Null while it works, and where only the ledger was asked.
    var waitsFor: Nullable<String>

    init(_ worker: WorkerRecord) {
        host = worker.host
        pid = worker.pid
        shard = Nullable(worker.shard?.rawValue)
        rowsDone = worker.rowsDone
        rowsPerSecond = rounded(worker.rowsPerSecond)
        rssBytes = worker.rssBytes
        peakRssBytes = worker.peakRSSBytes
        programRssBytes = Nullable(nil)
        waitsFor = Nullable(nil)
    }

    init(_ worker: WorkerProgress) {
        self.init(worker.record)
        programRssBytes = Nullable(worker.programRSSBytes)
        waitsFor = Nullable(worker.wait?.words)
    }
}
