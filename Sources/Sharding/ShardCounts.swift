/// Numbers of a run's shards by state.
public struct ShardCounts: Sendable, Equatable {
    public var pending: Int
    public var running: Int
    public var done: Int
    public var failed: Int

    public init(pending: Int = 0, running: Int = 0, done: Int = 0, failed: Int = 0) {
        self.pending = pending
        self.running = running
        self.done = done
        self.failed = failed
    }

    public var total: Int { pending + running + done + failed }
    /// Shards that are neither done nor failed.
    public var open: Int { pending + running }
}
