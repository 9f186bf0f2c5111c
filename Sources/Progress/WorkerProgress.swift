public import Sharding

/// What one worker has done so far, and how it is.
public struct WorkerProgress: Sendable, Equatable {
    public var id: WorkerID
    /// The host that the worker named, as it named it: not safe to print before `ProgressView` has cleaned it.
    public var host: String
    public var pid: Int32
    /// Whether this coordinator's host started it.
    public var local: Bool
    /// The shard that it holds; nil while it holds none.
    public var shard: ShardID?
    /// Rows that it has updated in this run, as far as this coordinator saw. Never goes down: rows that a failover
    /// of the database lost count again when they are updated again.
    public var rowsDone: Int64
    /// Rows a second over the last 10 s, or since it joined if that is less.
    public var rowsPerSecond: Double
    /// Resident memory now, in bytes.
    public var rssBytes: Int64
    /// The highest resident memory of the process so far, in bytes.
    public var peakRSSBytes: Int64
    /// Resident memory of its compute program now, in bytes; 0 where there is none.
    public var programRSSBytes: Int64
    /// What it waits for, as it says it: not safe to print before `ProgressView` has cleaned it. Empty while it works.
    public var waitsFor: String
    /// Time since it last joined or reported.
    public var silentFor: Duration

    public init(
        id: WorkerID, host: String, pid: Int32, local: Bool, shard: ShardID? = nil, rowsDone: Int64 = 0,
        rowsPerSecond: Double = 0, rssBytes: Int64 = 0, peakRSSBytes: Int64 = 0, programRSSBytes: Int64 = 0,
        waitsFor: String = "", silentFor: Duration = .zero
    ) {
        self.id = id
        self.host = host
        self.pid = pid
        self.local = local
        self.shard = shard
        self.rowsDone = rowsDone
        self.rowsPerSecond = rowsPerSecond
        self.rssBytes = rssBytes
        self.peakRSSBytes = peakRSSBytes
        self.programRSSBytes = programRSSBytes
        self.waitsFor = waitsFor
        self.silentFor = silentFor
    }
}
