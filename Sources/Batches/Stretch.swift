import CoordKit
import Postgres
import Sharding

/// The keys of a stretch by stripes. A worker works through them part by part before it looks at the next stretch.
///
/// It holds only keys, at most `Comb.stretchRows` of them, and `Comb.stretchBytes` of keys that may be long. Cursors tell which keys are done, so that another worker can
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
        var stripes = Array(repeating: RowBatch(columns: key.count), count: under == nil ? comb.stripes : 1)
        var last: Key?
        var isFull: Bool
        func take(_ digits: UnsafeRawBufferPointer?, _ value: (Int) -> UnsafeRawBufferPointer?) {
            // Null for a row outside the job's condition.
            guard let digits else { return }
            let index = under == nil ? digits.reduce(0) { $0 * 10 + Int($1) - 48 } : 0
            for column in 0..<key.count { stripes[index].append(value(column)) }
        }
        if key.hasLongValues {
            (last, isFull) = try longKeys(statements, comb, range, behind: cursor, keys: limit, connection, take)
        } else {
            let result = try rows("coord_look", statements, comb, range, behind: cursor, keys: limit, connection)
            for row in 0..<result.rows { take(result.bytes(row, key.count)) { result.bytes(row, $0) } }
            last = result.rows > 0 ? key.key(result, result.rows - 1) : nil
            isFull = result.rows >= limit
        }
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

    /// Looks at keys that may be long: one at a time, and no further once they have `Comb.stretchBytes`.
    ///
    /// - Returns: the last key of the look, and whether keys may be left behind it.
    private static func longKeys(
        _ statements: BatchStatements, _ comb: Comb, _ range: KeyRange, behind cursor: Cursor, keys limit: Int,
        _ connection: PostgresConnection,
        _ take: (UnsafeRawBufferPointer?, (Int) -> UnsafeRawBufferPointer?) -> Void
    ) throws(PostgresError) -> (last: Key?, isFull: Bool) {
        let key = statements.target.key
        let (name, parameters) = try prepare(
            "coord_look", statements, comb, range, behind: cursor, keys: limit, connection)
        var (last, count, bytes) = (RowBatch(columns: key.count), 0, 0)
        var failure: PostgresError?
        try connection.enterPipeline()
        do {
            try connection.send(prepared: name, parameters)
            try connection.sync()
            do {
                try connection.forEachRow { row in
                    last.removeAll()
                    for column in 0..<key.count {
                        last.append(row.bytes(column))
                        bytes += row.length(column)
                    }
                    count += 1
                    take(row.bytes(key.count)) { column in row.bytes(column) }
                    return bytes < Comb.stretchBytes
                }
            } catch { failure = error }
            try connection.nextSync()
        } catch {
            if connection.isAlive { try connection.leavePipeline() }
            throw failure ?? error
        }
        try connection.leavePipeline()
        if let failure { throw failure }
        return (
            count > 0 ? key.key(of: 0, in: last) : nil, count >= limit || bytes >= Comb.stretchBytes
        )
    }

    /// Runs the look's statement.
    ///
    /// - Parameter stem: the beginning of the statement's name. Looks with different SQL on one connection need
    ///   different names.
    private static func rows(
        _ stem: String, _ statements: BatchStatements, _ comb: Comb, _ range: KeyRange, behind cursor: Cursor,
        keys limit: Int, _ connection: PostgresConnection
    ) throws(PostgresError) -> PostgresResult {
        let (name, parameters) = try prepare(stem, statements, comb, range, behind: cursor, keys: limit, connection)
        return try connection.executePrepared(name, "", parameters)
    }

    /// Prepares the look's statement.
    /// - Returns: its name and its parameters.
    private static func prepare(
        _ stem: String, _ statements: BatchStatements, _ comb: Comb, _ range: KeyRange, behind cursor: Cursor,
        keys limit: Int, _ connection: PostgresConnection
    ) throws(PostgresError) -> (name: String, parameters: PostgresParameters) {
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
        return (name, parameters)
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
        // The failed look may have been another statement, or the row may be gone or mended.
        do {
            _ = try rows("coord_look", statements, comb, range, behind: cursor, keys: limit, connection)
            return nil
        } catch {
            guard isOfRow(error) else { throw error }
        }
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
    /// - Returns: false if the part has no such key, or has it at its end, and was not shortened.
    package mutating func cut(_ part: inout Part, behind last: Key) -> Bool {
        guard let row = part.rows.first(where: { key.key(of: $0, in: part.keys) == last }),
            row + 1 < part.rows.upperBound
        else { return false }
        part.rows = part.rows.lowerBound..<row + 1
        self.row = row + 1
        isOver = false
        part.exhausted = false
        part.cursor = within(part.rows, of: stripe)
        cursor = part.cursor
        return true
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
