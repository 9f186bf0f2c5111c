import Sharding

/// The rows done of each shard: the highest number known for it. So a late, repeated or reordered report never counts
/// twice and never lowers anything; only the ledger does, which a failover may have rolled back.
struct ShardRows: Sendable {
    private struct Known {
        var rows: Int64 = 0
        /// The worker whose report raised `rows` last: it is credited with what the ledger adds to them.
        var reporter: WorkerID?
    }

    /// Rows of earlier coordinators that no shard has claimed yet.
    private var unclaimed: Int64
    /// Sum of the rows of all shards.
    private var sum: Int64 = 0
    private var shards: [ShardID: Known] = [:]

    init(unclaimed: Int64) { self.unclaimed = unclaimed }

    /// Rows done of the whole run.
    var total: Int64 { unclaimed &+ sum }

    /// A worker reported the shard's rows.
    /// - Returns: how many are new.
    mutating func reported(_ shard: ShardID, _ rows: Int64, by worker: WorkerID) -> Int64 {
        if let known = shards[shard], rows <= known.rows { return 0 }
        return raise(shard, to: rows, by: worker)
    }

    /// The ledger told the shard's rows, which also may lower them.
    /// - Returns: how many are new, and who did them as far as that is known.
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
        // What earlier coordinators had done moves to its shard here: no progress, so neither rate nor credit.
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
