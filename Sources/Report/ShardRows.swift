import Sharding

/// The rows done of each shard, as the highest number that is known for it. So a late, repeated or reordered report
/// never counts twice and never lowers a number. Only the ledger may lower one, after a failover that rolled commits
/// back.
struct ShardRows: Sendable {
    private struct Known {
        var rows: Int64 = 0
        /// The worker whose report raised `rows` last. It is credited with the rows that the ledger adds.
        var reporter: WorkerID?
    }

    /// Rows of earlier coordinators that no shard has claimed yet.
    private var unclaimed: Int64
    /// Sum of the rows of all shards.
    private var sum: Int64 = 0
    private var shards: [ShardID: Known] = [:]

    init(unclaimed: Int64) { self.unclaimed = unclaimed }

    /// The rows done of the whole run.
    var total: Int64 { unclaimed &+ sum }

    /// A worker reported the shard's rows.
    /// - Returns: the number of new rows.
    mutating func reported(_ shard: ShardID, _ rows: Int64, by worker: WorkerID) -> Int64 {
        if let known = shards[shard], rows <= known.rows { return 0 }
        return raise(shard, to: rows, by: worker)
    }

    /// The ledger has told the shard's rows, which may also be fewer than before.
    /// - Returns: the number of new rows, and the worker that did them, if known.
    mutating func told(_ shard: ShardID, _ rows: Int64, by worker: WorkerID?) -> (added: Int64, worker: WorkerID?) {
        if let known = shards[shard], rows <= known.rows {
            sum &-= known.rows - rows
            shards[shard]?.rows = rows
            return (0, nil)
        }
        let worker = worker ?? shards[shard]?.reporter
        return (raise(shard, to: rows, by: worker), worker)
    }

    private mutating func raise(_ shard: ShardID, to rows: Int64, by worker: WorkerID?) -> Int64 {
        var added = rows - (shards[shard]?.rows ?? 0)
        // Rows of earlier coordinators move to their shard here. They are no progress, so they count neither for the
        // rate nor for a worker.
        if shards[shard] == nil {
            let claimed = min(unclaimed, rows)
            unclaimed -= claimed
            added -= claimed
            sum &+= claimed
        }
        shards[shard] = Known(rows: rows, reporter: worker)
        sum &+= added
        return added
    }
}
