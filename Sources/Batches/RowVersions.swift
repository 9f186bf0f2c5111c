import CoordKit
import Sharding

/// The versions of deferred rows that a write has tried and left.
///
/// A row that another session changed has a new version at the next read. If a row still has the same version, the
/// database itself has left it: a trigger returned NULL, or suppressed an update without a change.
package struct RowVersions {
    private struct Version: Equatable {
        var xmin: String
        var ctid: String
    }

    private var left: [Key: Version] = [:]
    /// For each key, the reads in a row that found the xmin of a left row at another place.
    private var moves: [Key: Int] = [:]

    /// The most such reads of a row. One more is an error.
    package static let limit = 20

    package init() {}

    package var isEmpty: Bool { left.isEmpty }

    package mutating func removeAll() {
        left.removeAll()
        moves.removeAll()
    }

    /// Notes the rows that a write has left. The rows of earlier writes stay known as long as they are deferred.
    ///
    /// - Parameters:
    ///   - tried: the keys of the batch's rows that the write has tried and left.
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

    /// Whether the database itself does not change this row of the batch.
    /// - Returns: nil if the row keeps moving without a change, so that it would be deferred for ever.
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
