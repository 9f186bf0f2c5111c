import Sharding

/// The dispatching machine's entries of all shards, with their numbers by state.
///
/// A run has up to 100,000 shards, and the numbers are read several times a second. So they are kept up to date and not
/// counted.
struct ShardTable: Sendable {
    typealias Phase = DispatchStateMachine.ShardPhase
    typealias Entry = DispatchStateMachine.ShardEntry

    private(set) var entries: [ShardID: Entry] = [:]
    private(set) var counts = ShardCounts()
    /// Shards with a lease that is being recorded, held, or closed: a drain waits for them.
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
    /// - Returns: the entry before.
    fileprivate mutating func updateValue(_ entry: Value?, at shard: ShardID) -> Value? {
        guard let entry else { return removeValue(forKey: shard) }
        return updateValue(entry, forKey: shard)
    }
}
