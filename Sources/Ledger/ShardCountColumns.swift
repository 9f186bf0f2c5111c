import Sharding

/// Counts of shards as columns.
struct ShardCountColumns {
    /// The counts for a statement over the shards of one run.
    static let counted = """
        count(*) FILTER (WHERE state = 'pending') AS pending, count(*) FILTER (WHERE state = 'running') AS running,
            count(*) FILTER (WHERE state = 'done') AS done, count(*) FILTER (WHERE state = 'failed') AS failed
        """

    private let pending: LedgerColumn<Int>
    private let running: LedgerColumn<Int>
    private let done: LedgerColumn<Int>
    private let failed: LedgerColumn<Int>

    init(_ columns: LedgerColumns) throws(LedgerError) {
        pending = try columns("pending")
        running = try columns("running")
        done = try columns("done")
        failed = try columns("failed")
    }

    func counts(_ row: LedgerRow) throws(LedgerError) -> ShardCounts {
        ShardCounts(
            pending: try row[pending], running: try row[running], done: try row[done], failed: try row[failed])
    }
}
