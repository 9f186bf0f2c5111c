import CoordKit
import Sharding

/// Versions of deferred rows that a write was to change and left.
///
/// A row that somebody else changed has another version at the next read. One that still has the same was left by the
/// database itself: a trigger returned NULL, or nothing would have changed.
package struct RowVersions {
    private struct Version: Equatable {
        var xmin: String
        var ctid: String
    }

    private var left: [Key: Version] = [:]
    /// Reads in a row that found a row with the xmin that a write had left, but at another place.
    private var moves: [Key: Int] = [:]

    /// Times that a row may be deferred without its xmin moving, before that is an error.
    package static let limit = 20

    package init() {}

    package var isEmpty: Bool { left.isEmpty }

    package mutating func removeAll() {
        left.removeAll()
        moves.removeAll()
    }

    /// Notes what a write has left. What earlier ones have left stays known: their rows may just be on their way.
    ///
    /// - Parameters:
    ///   - tried: keys of the batch's rows that the write tried and left.
    ///   - deferred: all deferred keys of the shard by now.
    package mutating func note(_ tried: Set<Key>, of batch: RowBatch, _ schema: KeySchema, deferred: [Key]) {
        let known = Set(deferred)
        left = left.filter { known.contains($0.key) }
        moves = moves.filter { known.contains($0.key) }
        guard !tried.isEmpty else { return }
        for row in 0..<batch.rows {
            let key = schema.key(of: row, in: batch)
            guard tried.contains(key) else { continue }
            left[key] = Version(
                xmin: batch.text(row: row, column: schema.versionColumn) ?? "",
                ctid: batch.text(row: row, column: schema.placeColumn) ?? "")
        }
    }

    /// Whether the row of the batch is one that the database does not change.
    /// - Returns: nil where the row keeps moving without a change, so that it could be deferred for ever.
    package mutating func isUnchanged(_ row: Int, of batch: RowBatch, _ schema: KeySchema) -> Bool? {
        let key = schema.key(of: row, in: batch)
        guard let version = left[key], version.xmin == batch.text(row: row, column: schema.versionColumn) else {
            moves[key] = nil
            return false
        }
        if version.ctid == batch.text(row: row, column: schema.placeColumn) { return true }
        moves[key, default: 0] += 1
        return moves[key, default: 0] > Self.limit ? nil : false
    }
}
