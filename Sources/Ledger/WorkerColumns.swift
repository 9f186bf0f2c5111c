import Sharding

/// A worker's figures in the ledger, and when it came, was last heard of, and left.
struct WorkerColumns {
    /// Whether a worker is at work, as far as its coordinator has told: one whose coordinator died has not left, and is
    /// not heard of any more.
    static let isPresent = "left_at IS NULL AND seen_at > clock_timestamp() - interval '30 seconds'"

    static let list = """
        id, host, pid, shard_id, rows_done, rows_per_second, rss_bytes, peak_rss_bytes, activity,
        \(isPresent) AS is_present, extract(epoch FROM joined_at) AS joined_at,
        extract(epoch FROM seen_at) AS seen_at, extract(epoch FROM left_at) AS left_at
        """

    private let id: LedgerColumn<WorkerID>
    private let host: LedgerColumn<String>
    private let pid: LedgerColumn<Int32>
    private let shard: LedgerColumn<ShardID>
    private let rowsDone: LedgerColumn<Int64>
    private let rowsPerSecond: LedgerColumn<Double>
    private let rssBytes: LedgerColumn<Int64>
    private let peakRSSBytes: LedgerColumn<Int64>
    private let activity: LedgerColumn<String>
    private let isPresent: LedgerColumn<Bool>
    private let joinedAt: LedgerColumn<Double>
    private let seenAt: LedgerColumn<Double>
    private let leftAt: LedgerColumn<Double>

    init(_ columns: LedgerColumns) throws(LedgerError) {
        id = try columns("id")
        host = try columns("host")
        pid = try columns("pid")
        shard = try columns("shard_id")
        rowsDone = try columns("rows_done")
        rowsPerSecond = try columns("rows_per_second")
        rssBytes = try columns("rss_bytes")
        peakRSSBytes = try columns("peak_rss_bytes")
        activity = try columns("activity")
        isPresent = try columns("is_present")
        joinedAt = try columns("joined_at")
        seenAt = try columns("seen_at")
        leftAt = try columns("left_at")
    }

    func detail(_ row: LedgerRow) throws(LedgerError) -> WorkerDetail {
        WorkerDetail(
            record: WorkerRecord(
                id: try row[id], host: try row[host], pid: try row[pid], shard: try row.optional(shard),
                rowsDone: try row[rowsDone], rowsPerSecond: try row[rowsPerSecond], rssBytes: try row[rssBytes],
                peakRSSBytes: try row[peakRSSBytes], activity: try row[activity]),
            isPresent: try row[isPresent], joinedAt: try row.optional(joinedAt), seenAt: try row[seenAt],
            leftAt: try row.optional(leftAt))
    }
}
