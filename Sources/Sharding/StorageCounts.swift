/// What the counters of a table and of its server have counted while coordinators of a run were at work.
public struct StorageCounts: Sendable, Equatable {
    /// Rows updated, by anybody.
    public var updates: Int64
    /// Those of them whose new version stayed on its page.
    public var hotUpdates: Int64
    /// Bytes of the write-ahead log, by anybody.
    public var walBytes: Int64
    /// Rows that the run has updated.
    public var rowsDone: Int64

    public init(updates: Int64 = 0, hotUpdates: Int64 = 0, walBytes: Int64 = 0, rowsDone: Int64 = 0) {
        self.updates = updates
        self.hotUpdates = hotUpdates
        self.walBytes = walBytes
        self.rowsDone = rowsDone
    }

    /// Adds what was counted between two measurements. Counters that were reset in between say nothing: a crash of the
    /// server resets its statistics, and a failover may lead to an older log.
    mutating func add(from before: StorageFigures, to after: StorageFigures) {
        let (updates, hot) = (after.updates - before.updates, after.hotUpdates - before.hotUpdates)
        if updates >= 0, hot >= 0, hot <= updates {
            self.updates += updates
            hotUpdates += hot
        }
        let (bytes, rows) = (after.walBytes - before.walBytes, after.rowsDone - before.rowsDone)
        if bytes >= 0, rows >= 0 {
            walBytes += bytes
            rowsDone += rows
        }
    }
}
