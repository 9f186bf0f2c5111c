import Sharding

/// Notices that no batch has committed for a while though workers hold leases, and says what they do instead.
struct StallWatch: Sendable {
    private struct Standing {
        var held: HeldLease
        var step: String
        var stepFor: Duration
    }

    /// The time without a commit after which the run says what its workers do.
    static let limit = Duration.seconds(60)
    /// The most workers that are named.
    static let named = 3

    private var standings: [WorkerID: Standing] = [:]
    private var advancedAt: Duration

    init(start: Duration) { advancedAt = start }

    mutating func heard(_ held: HeldLease, from worker: WorkerID, step: String, stepFor: Duration, now: Duration) {
        let before = standings[worker]?.held
        if before.map({ held.sequence != $0.sequence || held.rowsDone != $0.rowsDone }) ?? true { advancedAt = now }
        standings[worker] = Standing(held: held, step: step, stepFor: stepFor)
    }

    /// The worker holds no shard any more, or is gone.
    mutating func left(_ worker: WorkerID) { standings[worker] = nil }

    /// The stall, if no batch has committed for the limit; nil otherwise.
    func stall(now: Duration, _ process: (WorkerID) -> ProcessName?) -> Stall? {
        guard now - advancedAt >= Self.limit else { return nil }
        let named = standings.sorted { $0.key < $1.key }.prefix(Self.named).map { id, standing in
            Stall.Holder(
                process: process(id), shard: standing.held.lease.shard, step: standing.step, stepFor: standing.stepFor)
        }
        return Stall(since: now - advancedAt, holders: named, others: standings.count - named.count)
    }
}
