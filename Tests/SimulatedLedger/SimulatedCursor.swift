import Sharding

/// A shard's cursor whose keys are numbers.
struct SimulatedCursor: Equatable {
    struct Stretch: Equatable {
        var end: Int
        var stripe: Int
        var last: Int?
    }

    var checkpoint: Int?
    var stretch: Stretch?

    init(_ checkpoint: Int? = nil, stretch: Stretch? = nil) {
        self.checkpoint = checkpoint
        self.stretch = stretch
    }

    init(_ cursor: Cursor) {
        func number(_ key: Key?) -> Int? { key.flatMap { Int($0.description) } }
        checkpoint = number(cursor.checkpoint)
        guard let under = cursor.stretch, let end = number(under.end) else { return }
        stretch = Stretch(end: end, stripe: under.stripe, last: number(under.last))
    }

    var cursor: Cursor {
        func key(_ number: Int?) -> Key? { number.map { Key(String($0)) } }
        return Cursor(
            key(checkpoint),
            stretch: stretch.map {
                Cursor.Stretch(end: Key(String($0.end)), stripe: $0.stripe, last: key($0.last))
            })
    }

    /// Whether a row is done when its shard stands here.
    func isDone(_ key: Int, _ comb: SimulatedComb) -> Bool {
        if let checkpoint, key <= checkpoint { return true }
        guard let stretch, key <= stretch.end else { return false }
        let stripe = comb.stripe(key)
        if stripe != stretch.stripe { return stripe < stretch.stripe }
        return stretch.last.map { key <= $0 } ?? false
    }

    /// The fault of a step from this cursor to `next`; nil for a possible step.
    func fault(before next: SimulatedCursor) -> String? {
        if let checkpoint, (next.checkpoint ?? .min) < checkpoint { return "went back" }
        guard checkpoint == next.checkpoint, let stretch else { return nil }
        guard let other = next.stretch else { return "left its stretch under way" }
        if other.end != stretch.end { return "has another end of its stretch" }
        if (other.stripe, other.last ?? .min) < (stretch.stripe, stretch.last ?? .min) { return "went back" }
        return nil
    }
}
