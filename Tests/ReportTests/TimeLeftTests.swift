import Report
import Sharding
import Testing

/// The one rule for the time left, with the ledger's figures as `coord status` uses them.
@Suite struct TimeLeftTests {
    @Test(
        arguments: [
            ("rows left over the rate", 400, 1000, 100, ShardCounts(pending: 6, running: 2, done: 4), .seconds(6)),
            ("every shard is done", 400, 1000, 0, ShardCounts(done: 4), .zero),
            ("nobody works", 400, 1000, 0, ShardCounts(pending: 6), nil),
            ("only failed shards left", 400, 1000, 100, ShardCounts(done: 4, failed: 1), nil),
            ("estimate passed: by shards", 1000, 500, 100, ShardCounts(pending: 3, running: 2, done: 4), .seconds(8)),
            ("a slow run has an end, too", 999, 1000, 0.5, ShardCounts(running: 1), .seconds(2)),
            ("beyond reason", 0, 1 << 44, 1, ShardCounts(pending: 1), nil),
        ] as [(String, Int64, Int64, Double, ShardCounts, Duration?)])
    func table(_ name: String, done: Int64, estimated: Int64, rate: Double, shards: ShardCounts, left: Duration?) {
        #expect(
            TimeLeft.of(rowsDone: done, rowsEstimated: estimated, rowsPerSecond: rate, shards: shards) == left,
            "\(name)"
        )
    }
}
