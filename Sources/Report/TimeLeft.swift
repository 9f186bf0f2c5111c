public import Sharding

/// How long a run still takes at its present rate. The one rule for it.
public enum TimeLeft {
    /// What is above this says nothing.
    static let limit: Duration = .seconds(1000 * 86_400)

    /// Rows left over the rate. Beyond the estimate: shards left, each as large as those done, those at work half done.
    ///
    /// - Parameters:
    ///   - rowsEstimated: Rows in scope, from statistics; 0 or less when unknown.
    ///   - shards: 0 of each before they were counted.
    /// - Returns: zero once every shard is done; nil when the rate is 0, when nothing that is left is worked on, or when too
    ///   little is known.
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
