/// A worker's figures, as the ledger keeps them for `coord status`.
public struct WorkerRecord: Sendable, Equatable {
    public var id: WorkerID
    /// The host that the worker named, as it named it: not safe to print before a view has cleaned it.
    public var host: String
    public var pid: Int32
    /// The shard that it holds; nil while it holds none.
    public var shard: ShardID?
    /// Rows that it has updated in this run, as far as its coordinator saw. Never goes down: rows that a failover of the
    /// database lost count again when they are updated again.
    public var rowsDone: Int64
    /// Rows a second over the last 10 s, or since it joined if that is less.
    public var rowsPerSecond: Double
    /// Resident memory now, in bytes.
    public var rssBytes: Int64
    /// The highest resident memory of the process so far, in bytes.
    public var peakRSSBytes: Int64
    /// The step under way in a word, or what it waits for; empty where nobody has said. From the worker, as its host.
    public var activity: String

    public init(
        id: WorkerID, host: String, pid: Int32, shard: ShardID? = nil, rowsDone: Int64 = 0, rowsPerSecond: Double = 0,
        rssBytes: Int64 = 0, peakRSSBytes: Int64 = 0, activity: String = ""
    ) {
        self.id = id
        self.host = host
        self.pid = pid
        self.shard = shard
        self.rowsDone = rowsDone
        self.rowsPerSecond = rowsPerSecond
        self.rssBytes = rssBytes
        self.peakRSSBytes = peakRSSBytes
        self.activity = activity
    }
}
