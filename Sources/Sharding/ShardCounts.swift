/// Numbers of a run's shards by state.
public struct ShardCounts: Sendable, Equatable {
    /// Shards that wait for a worker.
    public var pending: Int
    /// Shards that a worker holds.
    public var running: Int
    /// Shards whose every row is committed.
    public var done: Int
    /// Shards that are not tried again without a human.
    public var failed: Int

    public init(pending: Int = 0, running: Int = 0, done: Int = 0, failed: Int = 0) {
        self.pending = pending
        self.running = running
        self.done = done
        self.failed = failed
    }

    public var total: Int { pending + running + done + failed }
    /// Shards that can still be worked on.
    public var open: Int { pending + running }
    /// Whether every shard is done; false before they were counted.
    public var areDone: Bool { total > 0 && done == total }
}
