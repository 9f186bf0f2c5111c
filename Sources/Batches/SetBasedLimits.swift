import Postgres
import Sharding

/// The limits of a set-based batch. Its rows stay in the server, so its bytes are the bytes that one transaction
/// rewrites.
///
/// In most tables the number of rows is limit enough, which costs nothing: the bytes follow from the table's average
/// row. If rows may differ so much that a batch could exceed its bytes more than twice, each batch also looks at its
/// rows first.
package struct SetBasedLimits: Equatable {
    package var rows: Int
    /// Nil when the number of rows bounds the bytes too.
    package var bytes: Int?

    /// Bytes of the largest row that fits on a page, of 8 KiB as nearly all servers have them.
    static let largestRowOnPage = 8160

    package init(rows: Int, bytes: Int?) {
        self.rows = rows
        self.bytes = bytes
    }

    package init(_ limits: BatchLimits, _ target: Target, _ connection: PostgresConnection) throws {
        let answer = try connection.execute(
            """
            SELECT CASE WHEN reltuples > 0 THEN (pg_relation_size(oid) / reltuples)::bigint END
            FROM pg_class WHERE oid = $1::oid
            """, ["\(target.oid)"])
        self.init(
            limits, averageRow: answer.int(0, 0).map(Int.init), hasLongColumns: target.width != nil, target.isToasted)
    }

    /// - Parameters:
    ///   - averageRow: the bytes of the table's pages for each row; nil if unknown.
    ///   - hasLongColumns: whether the job touches values whose bytes can be counted.
    package init(_ limits: BatchLimits, averageRow: Int?, hasLongColumns: Bool, _ isToasted: Bool) {
        let average = averageRow.map { max($0, 1) }
        rows = average.map { max(1, min(limits.rows, limits.bytes / $0)) } ?? limits.rows
        bytes = nil
        guard hasLongColumns, isToasted || rows * Self.largestRowOnPage > 2 * limits.bytes else { return }
        bytes = limits.bytes
    }
}
