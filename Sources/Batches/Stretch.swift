import CoordKit
import Postgres
import Sharding

/// The keys of a stretch by stripes. A worker works through them part by part before it looks at the next stretch.
///
/// It holds only keys, at most `Comb.stretchRows` of them. Cursors tell which keys are done, so that another worker can
/// go on behind any part.
package struct Stretch {
    /// Some rows of one stripe, for one batch.
    package struct Part {
        /// The keys, in their order.
        package fileprivate(set) var keys: RowBatch
        package fileprivate(set) var rows: Range<Int>
        /// Where the shard stands once the part is done.
        package fileprivate(set) var cursor: Cursor
        /// The range of the shard holds nothing behind it.
        package fileprivate(set) var exhausted: Bool
    }

    /// The shard's range.
    let range: KeyRange
    /// Where the shard stands once all parts that were taken are done.
    private(set) var cursor: Cursor
    private let checkpoint: Key?
    private let end: Key?
    /// The range holds nothing behind the end.
    private let exhausted: Bool
    /// The number of the first stripe in hand.
    private let first: Int
    private let stripes: [RowBatch]
    /// Whether all stripes that are left are in hand; otherwise one is, perhaps in part.
    private let isWhole: Bool
    /// Where the look ended, if the one stripe in hand goes on behind it.
    private let cut: Key?
    private let key: KeySchema
    private var stripe = 0
    private var row = 0
    private var isOver = false

    private init(
        _ range: KeyRange, _ cursor: Cursor, end: Key?, exhausted: Bool, first: Int, stripes: [RowBatch], isWhole: Bool,
        cut: Key?, key: KeySchema
    ) {
        self.range = range
        self.cursor = cursor
        checkpoint = cursor.checkpoint
        self.end = end
        self.exhausted = exhausted
        self.first = first
        self.stripes = stripes
        self.isWhole = isWhole
        self.cut = cut
        self.key = key
    }

    // MARK: - The look

    /// Looks at the keys behind a cursor: the whole next stretch, or the rest of one stripe of the cursor's stretch,
    /// which another worker may have begun.
    ///
    /// Rows that somebody inserts behind the look are passed over, as those are that come behind a checkpoint.
    ///
    /// - Parameter keys: how many the look may take, from 1.
    package static func look(
        _ statements: BatchStatements, _ comb: Comb, _ range: KeyRange, behind cursor: Cursor, keys limit: Int,
        _ connection: PostgresConnection
    ) throws(PostgresError) -> Stretch {
        let under = cursor.stretch
        let key = statements.target.key
        let result = try rows("coord_look", statements, comb, range, behind: cursor, keys: limit, connection)
        var stripes = Array(repeating: RowBatch(columns: key.count), count: under == nil ? comb.stripes : 1)
        for row in 0..<result.rows {
            // Null for a row outside the job's condition.
            guard let digits = result.bytes(row, key.count) else { continue }
            let index = under == nil ? digits.reduce(0) { $0 * 10 + Int($1) - 48 } : 0
            for column in 0..<key.count { stripes[index].append(result.bytes(row, column)) }
        }
        let last = result.rows > 0 ? key.key(result, result.rows - 1) : nil
        let isFull = result.rows >= limit
        if let under {
            return Stretch(
                range, cursor, end: under.end, exhausted: under.end == range.through,
                first: under.stripe, stripes: stripes, isWhole: under.stripe + 1 >= comb.stripes,
                cut: isFull ? last : nil, key: key)
        }
        return Stretch(
            range, cursor, end: isFull ? last : range.through ?? last, exhausted: !isFull, first: 0, stripes: stripes,
            isWhole: true, cut: nil, key: key)
    }

    /// Runs the look's statement.
    ///
    /// - Parameter stem: the beginning of the statement's name. Looks with different SQL on one connection need
    ///   different names.
    private static func rows(
        _ stem: String, _ statements: BatchStatements, _ comb: Comb, _ range: KeyRange, behind cursor: Cursor,
        keys limit: Int, _ connection: PostgresConnection
    ) throws(PostgresError) -> PostgresResult {
        let under = cursor.stretch
        let lower = under?.last ?? cursor.checkpoint ?? range.after
        let upper = under?.end ?? range.through
        var parameters = PostgresParameters()
        let key = statements.target.key
        if let lower { key.append(lower, to: &parameters) }
        if let upper { key.append(upper, to: &parameters) }
        parameters.append(limit)
        if let under { parameters.append(under.stripe) }
        let name = "\(stem)_\(lower == nil ? 0 : 1)\(upper == nil ? 0 : 1)\(under == nil ? 0 : 1)"
        try connection.prepare(
            name, statements.look(comb, hasLower: lower != nil, hasUpper: upper != nil, ofStripe: under != nil))
        return try connection.executePrepared(name, "", parameters)
    }

    /// Finds the row for which the job's condition fails. It repeats a failed look with fewer and fewer keys.
    ///
    /// - Parameters:
    ///   - keys: the number of keys in the failed look.
    ///   - isOfRow: whether an error is the fault of a row. Other errors are thrown.
    package static func failingKey(
        _ statements: BatchStatements, _ comb: Comb, _ range: KeyRange, behind cursor: Cursor, keys limit: Int,
        isOfRow: (PostgresError) -> Bool, _ connection: PostgresConnection
    ) throws(PostgresError) -> Key? {
        // A look at `fine` keys succeeds, and a look at `failing` keys fails.
        var (fine, failing) = (0, limit)
        while failing - fine > 1 {
            let middle = fine + (failing - fine) / 2
            do {
                _ = try rows("coord_look", statements, comb, range, behind: cursor, keys: middle, connection)
                fine = middle
            } catch {
                guard isOfRow(error) else { throw error }
                failing = middle
            }
        }
        var bare = statements.target
        bare.predicate = nil
        let found = try rows(
            "coord_look_bare", BatchStatements(target: bare), comb, range, behind: cursor, keys: failing, connection)
        // If fewer rows are left now, all of them have passed the condition by now.
        return found.rows == failing ? bare.key.key(found, found.rows - 1) : nil
    }

    // MARK: - Its parts

    /// Takes the next part of the stretch in hand.
    ///
    /// - Parameter limit: the most rows of the part. A stripe is cut into parts of equal size.
    /// - Returns: nil when nothing is left in hand and another look is due. A stretch without rows has one part, which
    ///   has no rows and only moves the cursor.
    package mutating func next(rows limit: Int) -> Part? {
        guard !isOver else { return nil }
        while stripe < stripes.count, row >= stripes[stripe].rows { (stripe, row) = (stripe + 1, 0) }
        guard stripe < stripes.count else { return take(0..<0, of: stripes.count - 1) }
        let left = stripes[stripe].rows - row
        let parts = (left + max(1, limit) - 1) / max(1, limit)
        let rows = row..<row + (left + parts - 1) / parts
        return take(rows, of: stripe)
    }

    /// Shortens the part that was taken last, and gives its other rows back.
    ///
    /// - Parameter last: the last key that stays in the part.
    package mutating func cut(_ part: inout Part, behind last: Key) {
        guard let row = part.rows.first(where: { key.key(of: $0, in: part.keys) == last }),
            row + 1 < part.rows.upperBound
        else { return }
        part.rows = part.rows.lowerBound..<row + 1
        self.row = row + 1
        isOver = false
        part.exhausted = false
        part.cursor = within(part.rows, of: stripe)
        cursor = part.cursor
    }

    private mutating func take(_ rows: Range<Int>, of stripe: Int) -> Part {
        let part = part(rows, of: stripe)
        cursor = part.cursor
        return part
    }

    private mutating func part(_ rows: Range<Int>, of stripe: Int) -> Part {
        let keys = stripes[stripe]
        row = rows.upperBound
        self.stripe = stripe
        let isLast = row >= keys.rows && stripes[(stripe + 1)...].allSatisfy { $0.rows == 0 }
        guard isLast else {
            return Part(keys: keys, rows: rows, cursor: within(rows, of: stripe), exhausted: false)
        }
        isOver = true
        if cut != nil || !isWhole {
            // The cursor passes everything that the look has seen, including rows outside the job's condition.
            let number = cut == nil ? first + stripe + 1 : first + stripe
            let cursor = Cursor(
                checkpoint, stretch: end.map { Cursor.Stretch(end: $0, stripe: number, last: cut) })
            return Part(keys: keys, rows: rows, cursor: cursor, exhausted: false)
        }
        return Part(keys: keys, rows: rows, cursor: Cursor(end ?? checkpoint), exhausted: exhausted)
    }

    /// The cursor behind some rows of a stripe that has more rows.
    private func within(_ rows: Range<Int>, of stripe: Int) -> Cursor {
        guard let end, !rows.isEmpty else { return Cursor(checkpoint) }
        let last = key.key(of: rows.upperBound - 1, in: stripes[stripe])
        return Cursor(checkpoint, stretch: Cursor.Stretch(end: end, stripe: first + stripe, last: last))
    }
}
