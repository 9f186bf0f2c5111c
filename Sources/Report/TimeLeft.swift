public import Sharding

/// The one rule for the time that a run still takes at its present rate.
public enum TimeLeft {
    /// The longest time that is shown: a longer one says nothing.
    static let limit: Duration = .seconds(1000 * 86_400)

    /// The time is the rows left divided by the rate. If more rows are done than were estimated, the rows left follow
    /// from the shards left: each counts as large as those done, and a shard at work as half done.
    ///
    /// - Parameters:
    ///   - rowsEstimated: Rows in scope, from statistics; 0 or less when unknown.
    ///   - shards: the shards by state; 0 of each before the first count.
    /// - Returns: zero once every shard is done; nil when the rate is 0, when no shard that is left is worked on, or
    ///   when too little is known.
    public static func of(
        rowsDone: Int64, rowsEstimated: Int64, rowsPerSecond: Double, shards: ShardCounts
    ) -> Duration? {
        if shards.areDone { return .zero }
        if shards.total > 0, shards.open == 0 { return nil }
        guard rowsPerSecond > 0 else { return nil }
        var rowsLeft = Double(rowsEstimated) - Double(rowsDone)
        if rowsLeft <= 0 {
            guard shards.done > 0 else { return nil }
            let halves = Double(shards.running) / 2
            let rowsPerShard = Double(rowsDone) / (Double(shards.done) + halves)
            rowsLeft = rowsPerShard * (Double(shards.pending) + halves)
        }
        let seconds = rowsLeft / rowsPerSecond
        return seconds <= limit.inSeconds ? .seconds(seconds) : nil
    }
}

extension Duration {
    /// The duration in seconds, rounded to what a `Double` holds.
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
