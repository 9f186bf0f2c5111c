public import Sharding

/// A worker as `coord status` shows it.
public struct WorkerRecord: Sendable, Equatable {
    public var id: WorkerID
    public var host: String
    public var pid: Int32
    public var shard: ShardID?
    public var rowsDone: Int64
    public var rowsPerSecond: Double
    public var rssBytes: Int64
    public var peakRSSBytes: Int64

    public init(
        id: WorkerID, host: String, pid: Int32, shard: ShardID? = nil, rowsDone: Int64 = 0, rowsPerSecond: Double = 0,
        rssBytes: Int64 = 0, peakRSSBytes: Int64 = 0
    ) {
        self.id = id
        self.host = host
        self.pid = pid
        self.shard = shard
        self.rowsDone = rowsDone
        self.rowsPerSecond = rowsPerSecond
        self.rssBytes = rssBytes
        self.peakRSSBytes = peakRSSBytes
    }
}
