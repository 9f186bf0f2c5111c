import DequeModule
import OrderedCollections
import Sharding

// Conditions that hold between any two events. The shell asserts them in debug builds, the simulator under every seed.
extension DispatchStateMachine {
    /// The walk over all shards is left out for larger runs: a debug build would do nothing else.
    static let walkLimit = 1_000

    /// The first breach in words: a contradiction within the machine, or an event that its shell must not report. Nil
    /// when all is well.
    public func checkInvariants() -> String? {
        breach
            ?? contradiction.map { "\($0); it is \(phase), \(shards.counts.open) of \(shards.count) shards are open" }
    }

    /// Stops a debug build when an invariant does not hold. A release build checks nothing.
    public func assertInvariants() {
        assert(checkInvariants() == nil, checkInvariants() ?? "")
    }

    private var contradiction: String? {
        if let contradiction = contradictionOfPhase { return contradiction }
        guard shards.count <= Self.walkLimit else { return nil }
        return contradictionOfShards ?? contradictionOfWorkers
    }

    private var contradictionOfPhase: String? {
        switch phase {
        case .loading, .finished: return nil
        case .dispatching:
            if drainAsked { return "shards are dispatched in a drain" }
            if shards.counts.open == 0 { return "nothing is left to dispatch, and the run is not concluded" }
        case .draining:
            if !drainAsked { return "it drains though nobody asked for it" }
        case .concluding:
            if shards.counts.open != 0 { return "a run with open shards is concluded" }
        }
        return nil
    }

    private var contradictionOfShards: String? {
        var counts = ShardCounts()
        var granting = 0
        var asking = 0
        var pending = 0
        for (id, entry) in shards.entries {
            switch entry.phase {
            case .done: counts.done += 1
            case .failed: counts.failed += 1
            case .pending: pending += 1
            case .granting: granting += 1
            case .asking: asking += 1
            case .leased(let holding):
                counts.running += 1
                if holding.lease != Lease(shard: id, epoch: entry.epoch) {
                    return "shard \(id) at epoch \(entry.epoch) is leased as \(holding.lease)"
                }
                guard let worker = workers[holding.worker], worker.shards.contains(id) else {
                    return "\(holding.lease) is leased to \(holding.worker), which does not have it"
                }
            case .recording(let lease, _):
                counts.running += 1
                if lease != Lease(shard: id, epoch: entry.epoch) {
                    return "shard \(id) at epoch \(entry.epoch) records the end of \(lease)"
                }
            }
        }
        let busy = granting + counts.running
        counts.pending = pending + granting
        counts.running += asking
        if counts != shards.counts { return "the shards are \(counts), and \(shards.counts) are counted" }
        if busy != shards.busy { return "\(busy) shards are busy, and \(shards.busy) are counted" }
        if phase == .draining, busy + asking == 0 { return "a drain waits for nothing" }
        return contradictionOfQueues(pending: pending)
    }

    private var contradictionOfWorkers: String? {
        for (id, worker) in workers {
            for shard in worker.shards {
                switch shards[shard]?.phase {
                case .granting(id): continue
                case .leased(let holding) where holding.worker == id: continue
                default: return "\(id) has shard \(shard), which is not leased to it"
                }
            }
        }
        return nil
    }

    /// Each pending shard is in one of the two, and no other shard is.
    private func contradictionOfQueues(pending: Int) -> String? {
        for shard in ready where !isPending(shard) { return "shard \(shard) waits to be granted and is not pending" }
        for shard in delayed where !isPending(shard) { return "shard \(shard) waits for its retry and is not pending" }
        let waiting = ready.count + delayed.count
        return waiting == pending ? nil : "\(pending) shards are pending, and \(waiting) wait to be granted"
    }

    private func isPending(_ shard: ShardID) -> Bool {
        guard case .pending? = shards[shard]?.phase else { return false }
        return true
    }
}
