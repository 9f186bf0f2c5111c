/// Ranges with about equal numbers of rows, that tile the key space.
public struct ShardPlan: Sendable, Equatable {
    /// A range and the planner's guess of the rows in it.
    public struct Part: Sendable, Equatable {
        public var range: KeyRange
        public var rowsEstimated: Int64
        public init(range: KeyRange, rowsEstimated: Int64) {
            self.range = range
            self.rowsEstimated = rowsEstimated
        }
    }

    public var parts: [Part]
    public init(parts: [Part]) { self.parts = parts }
    public var rowsEstimated: Int64 { parts.reduce(0) { $0 + $1.rowsEstimated } }
}

extension ShardPlan {
    /// The most shards that a run may have: each is a row in the ledger and an entry in the coordinator's memory.
    public static let shardLimit = 100_000
    /// Shards per worker. Enough that workers idle little while the last shard finishes, and that a lost attempt is
    /// cheap.
    static let shardsPerWorker = 8

    /// The number of shards that `auto` means: several for each worker, but none smaller than a few batches.
    ///
    /// - Parameters:
    ///   - rows: estimated rows of the table.
    ///   - batchRows: the batch's limit in rows.
    public static func automaticCount(workers: Int, rows: Int64, batchRows: Int) -> Int {
        let wanted = max(workers, 1) * shardsPerWorker
        let most = max(rows / Int64(max(batchRows, 1) * 2), 1)
        return max(1, min(wanted, Int(min(most, Int64(shardLimit))), shardLimit))
    }

    /// Makes at most `count` ranges from a sorted sample of the keys, each with about the same number of samples.
    ///
    /// - Parameters:
    ///   - sample: keys in the key's own order, as PostgreSQL sorted them; may repeat.
    ///   - rows: estimated rows of the table, shared among the ranges by their samples.
    ///   - through: the end of the last range, not below any key of the sample; nil for an open end.
    /// - Returns: ranges that tile the key space; one range when the sample cannot be cut.
    public static func quantiles(of sample: [Key], count: Int, rows: Int64, through: Key? = nil) -> ShardPlan {
        let count = min(max(count, 1), shardLimit)
        var boundaries: [(key: Key, samples: Int)] = []
        for part in 1..<max(count, 2) where count > 1 && !sample.isEmpty {
            // The boundary is the last key of its part, hence the -1.
            let index = part * sample.count / count - 1
            guard index >= 0, index < sample.count - 1, sample[index] != boundaries.last?.key else { continue }
            boundaries.append((sample[index], index + 1))
        }
        // A boundary at the sample's last key would leave an empty last range.
        if let last = boundaries.last, last.key == sample.last { boundaries.removeLast() }
        var parts: [Part] = []
        var after: Key?
        var samplesBefore = 0
        for boundary in boundaries {
            let share = estimate(rows, samples: boundary.samples - samplesBefore, of: sample.count)
            parts.append(Part(range: KeyRange(after: after, through: boundary.key), rowsEstimated: share))
            after = boundary.key
            samplesBefore = boundary.samples
        }
        let rest = sample.isEmpty ? rows : estimate(rows, samples: sample.count - samplesBefore, of: sample.count)
        parts.append(Part(range: KeyRange(after: after, through: through), rowsEstimated: rest))
        return ShardPlan(parts: parts)
    }

    private static func estimate(_ rows: Int64, samples: Int, of total: Int) -> Int64 {
        Int64((Double(rows) * Double(samples) / Double(max(total, 1))).rounded())
    }
}
