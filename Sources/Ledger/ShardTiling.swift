import Sharding

/// Checks that shards tile a key space. It does not use the keys' order, which only PostgreSQL knows, nor the shards'
/// numbers.
enum ShardTiling {
    struct Piece {
        var shard: ShardID
        var range: KeyRange
        var text: String { "shard \(shard) \(range)" }
    }

    /// The first fault: expectation and finding. Nil when the shards form one chain from the open beginning to `end`.
    ///
    /// - Parameter planned: the planned number of shards. A shard may have been split since.
    static func fault(in pieces: [Piece], end: Key?, planned: Int64?) -> String? {
        let number =
            planned.map { "\(pieces.count) of \($0) planned shards are there" } ?? "it has \(pieces.count) shards"
        var byAfter: [Key?: Piece] = [:]
        var ends: Set<Key> = []
        for piece in pieces {
            if let other = byAfter.updateValue(piece, forKey: piece.range.after) {
                return "\(other.text) and \(piece.text) begin at the same key, so rows would be changed twice"
            }
            if let through = piece.range.through { ends.insert(through) }
        }
        var reached: Key?
        var last: Piece?
        for count in 1...max(pieces.count, 1) {
            guard let piece = byAfter[reached] else {
                // The shard that begins where no other ends follows the gap.
                let next = pieces.first { piece in piece.range.after.map { !ends.contains($0) } ?? false }
                return "expected a shard from \(reached?.description ?? "-∞") on"
                    + (last.map { ", behind \($0.text)" } ?? "") + ", and found none"
                    + (next.map { "; \($0.text) follows the gap" } ?? "")
                    + " (\(number)): rows would be left out"
            }
            if piece.range.through == end {
                guard count < pieces.count else { return nil }
                return "\(piece.text) ends the run, and \(pieces.count - count) of its \(pieces.count) shards are not "
                    + "among those that lead up to it: rows would be changed twice"
            }
            guard let through = piece.range.through else {
                return "\(piece.text) has no end, and the run ends at \(end?.description ?? "+∞")"
            }
            reached = through
            last = piece
        }
        guard let last, byAfter[reached] != nil else {
            return "expected the last shard to end at \(end?.description ?? "+∞")"
                + (last.map { ", and found \($0.text)" } ?? ", and found no shard")
                + " (\(number)): rows would be left out"
        }
        return "its shards go in a circle, back from \(last.text)"
    }
}
