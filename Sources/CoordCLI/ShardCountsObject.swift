import Sharding

struct ShardCountsObject: Encodable {
    var pending: Int
    var running: Int
    var done: Int
    var failed: Int

    init(_ counts: ShardCounts) {
        pending = counts.pending
        running = counts.running
        done = counts.done
        failed = counts.failed
    }
}
