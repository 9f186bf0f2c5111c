import Progress
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

    init(_ snapshot: ProgressSnapshot) {
        pending = snapshot.pending
        running = snapshot.running
        done = snapshot.done
        failed = snapshot.failed
    }
}
