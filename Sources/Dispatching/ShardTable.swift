import Sharding

/// What a dispatching machine knows of each shard, and how many stand where.
///
/// A run has up to 100,000 shards, and their numbers are asked for several times a second: they are kept, not counted.
struct ShardTable: Sendable {
    typealias Phase = DispatchStateMachine.ShardPhase
    typealias Entry = DispatchStateMachine.ShardEntry

    private(set) var entries: [ShardID: Entry] = [:]
    private(set) var counts = ShardCounts()
    /// Shards with a lease that is given, out, or taken back: a drain waits for them.
    private(set) var busy = 0

    subscript(shard: ShardID) -> Entry? {
        get { entries[shard] }
        set {
            let old = entries.updateValue(newValue, at: shard)
            if let old { count(old.phase, by: -1) }
            if let newValue { count(newValue.phase, by: 1) }
        }
    }

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }

    mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
        counts = ShardCounts()
        busy = 0
    }

    private mutating func count(_ phase: Phase, by number: Int) {
        switch phase {
        case .pending: counts.pending += number
        case .granting:
            counts.pending += number
            busy += number
        case .leased, .recording:
            counts.running += number
            busy += number
        case .asking: counts.running += number
        case .done: counts.done += number
        case .failed: counts.failed += number
        }
    }
}

extension [ShardID: DispatchStateMachine.ShardEntry] {
    /// - Returns: what was there before.
    fileprivate mutating func updateValue(_ entry: Value?, at shard: ShardID) -> Value? {
        guard let entry else { return removeValue(forKey: shard) }
        return updateValue(entry, forKey: shard)
    }
}
