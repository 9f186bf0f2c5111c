import CoordKit
import Postgres
import Sharding

/// Rows that were read and wait to be computed and written.
package struct HeldBatch {
    /// Key, xmin, ctid, then the columns that the job reads.
    package var rows: RowBatch
    /// Where the shard stands once they are written.
    package var cursor: Cursor
    package var summary: ReadSummary
    /// Deferred keys that this read asked for, found or not.
    package var deferred: [Key]
    /// Whether an open transaction holds locks on the rows.
    package var locked: Bool
    /// The number of deferred rows, which come first.
    package var deferredRows = 0
    /// The number of deferred rows that the database does not change. They are not in `rows` any more.
    package var unchanged: Int64 = 0

    package init(
        rows: RowBatch, cursor: Cursor, summary: ReadSummary, deferred: [Key], locked: Bool, deferredRows: Int = 0
    ) {
        self.rows = rows
        self.cursor = cursor
        self.summary = summary
        self.deferred = deferred
        self.locked = locked
        self.deferredRows = deferredRows
    }
}

/// Reads batches bounded in rows and bytes.
///
/// It takes rows one at a time from libpq and keeps as many as the byte limit allows, but at least one: a row wider
/// than the limit is a batch by itself. It asks for a number of rows that fits the width of recent rows, so that few
/// rows are read in vain.
package final class BatchReader {
    private let read: RangeRead
    private let limits: BatchLimits
    private let columns: Int
    /// Nil in key order.
    private let walk: StretchWalk?
    /// The recent bytes of a row. Wider rows raise it at once, narrower rows lower it step by step.
    private var rowBytes = 0.0
    /// The number of keys that a read with a predicate may look at for each wanted row.
    package static let windowFactor = 10

    package init(statements: BatchStatements, limits: BatchLimits, columns: Int, comb: Comb? = nil) {
        read = RangeRead(statements)
        walk = comb.map { StretchWalk($0) }
        self.limits = limits
        self.columns = columns
    }

    /// One read.
    package struct Request {
        /// Nil if only deferred rows are wanted.
        var range: RangeRead.Request?
        /// The part of a stretch to read, instead of the next rows of the range.
        var part: Stretch.Part?
        /// Where the shard stands before the read.
        var cursor: Cursor
        var limit: Int
        var deferred: RangeRead.Request?
        var deferredKeys: [Key]
        var locked: Bool
    }

    private func limit(_ budget: Int) -> Int {
        let rows = min(limits.rows, budget)
        guard rowBytes > 0 else { return rows }
        // A quarter more rows than fit, so that the reader notices narrower rows.
        return max(1, min(rows, Int(Double(limits.bytes) / rowBytes * 1.25)))
    }

    /// - Parameters:
    ///   - budget: a row limit beside the job's, such as timeouts have left.
    ///   - window: the number of keys that a read with a predicate may look at; nil for the usual number.
    package func prepare(
        _ range: KeyRange, _ position: Position, locking: Bool, budget: Int = .max, window: Int? = nil,
        _ connection: PostgresConnection
    ) throws -> Request {
        let limit = limit(budget)
        // As many deferred rows as one batch may have.
        let deferred = Array(position.deferred.prefix(limit))
        var request = Request(
            cursor: position.cursor, limit: limit,
            deferred: deferred.isEmpty ? nil : try read.deferred(deferred, locking: locking, connection),
            deferredKeys: deferred, locked: locking)
        guard !locking else { return request }
        if let walk {
            request.part = try walk.next(
                read.statements, range, behind: position.cursor, limit: limit, budget: min(limits.rows, budget),
                connection)
            request.range = try request.part.map { try read.part($0, connection) }
        } else {
            let window = window ?? limit * Self.windowFactor
            request.range = try read.range(range, behind: position.cursor, limit: limit, window: window, connection)
        }
        return request
    }

    package func read(
        _ range: KeyRange, _ position: Position, locking: Bool, budget: Int = .max, window: Int? = nil,
        _ connection: PostgresConnection
    ) throws -> HeldBatch {
        let request = try prepare(range, position, locking: locking, budget: budget, window: window, connection)
        try connection.enterPipeline()
        let batch: HeldBatch
        do {
            try send(request, connection)
            batch = try receive(request, connection)
        } catch {
            // What looks for the row at fault runs on the same connection.
            if connection.isAlive { try connection.leavePipeline() }
            throw error
        }
        try connection.leavePipeline()
        return batch
    }

    /// Reads deferred rows alone, with no lock, to find out whether the job's condition fails for one of them.
    package func readDeferred(_ keys: [Key], _ connection: PostgresConnection) throws {
        let request = try read.deferred(keys, locking: false, connection)
        _ = try connection.executePrepared(request.name, "", request.parameters)
    }

    /// Sends the read; the connection is in pipeline mode.
    package func send(_ request: Request, _ connection: PostgresConnection) throws {
        for part in [request.deferred, request.range] {
            guard let part else { continue }
            try connection.send(prepared: part.name, part.parameters)
            try connection.sync()
        }
    }

    package func receive(_ request: Request, _ connection: PostgresConnection) throws -> HeldBatch {
        var rows = RowBatch(columns: columns)
        var failure: PostgresError?
        if request.deferred != nil {
            do {
                try connection.forEachRow { row in
                    for column in 0..<columns { rows.append(row.bytes(column)) }
                    return true
                }
            } catch { failure = error }
            try connection.nextSync()
        }
        let deferredRows = rows.rows
        var cursor = request.cursor
        var exhausted = false
        if request.range != nil {
            do { (cursor, exhausted) = try receiveRange(request, &rows, connection) } catch {
                failure = failure ?? error
            }
            try connection.nextSync()
        }
        if let failure { throw failure }
        return HeldBatch(
            rows: rows, cursor: cursor, summary: ReadSummary(rows: rows.rows, exhausted: exhausted),
            deferred: request.deferredKeys, locked: request.locked, deferredRows: deferredRows)
    }

    /// - Returns: where the shard stands behind the rows, and whether nothing is left there.
    private func receiveRange(_ request: Request, _ rows: inout RowBatch, _ connection: PostgresConnection)
        throws(PostgresError) -> (cursor: Cursor, exhausted: Bool)
    {
        let key = read.statements.target.key
        let offset = request.part == nil ? read.windowColumns : 0
        let before = rows
        let (rowsBefore, bytesBefore) = (rows.rows, rows.bytes)
        var windowEnd: Key?
        var cut = false
        var kept = rows
        rows = RowBatch(columns: columns)
        try connection.forEachRow { row in
            if offset > 0 {
                if windowEnd == nil { windowEnd = key.key(row) }
                // This row has only the window's last key: no row of the window meets the predicate.
                if row.bytes(offset) == nil { return true }
            }
            var width = 0
            for column in 0..<columns { width += row.length(column + offset) }
            if kept.rows > rowsBefore, kept.bytes + width > limits.bytes {
                // The next batch reads this row again as its first one.
                cut = true
                return false
            }
            for column in 0..<columns { kept.append(row.bytes(column + offset)) }
            return true
        }
        rows = kept
        let found = rows.rows - rowsBefore
        if found > 0 {
            let width = Double(rows.bytes - bytesBefore) / Double(found)
            rowBytes = max(width, rowBytes * 0.9 + width * 0.1)
        }
        let last = found > 0 ? key.key(of: rows.rows - 1, in: rows) : nil
        if var part = request.part {
            // Rows deleted since the look are missing, so the last key tells where the read ended.
            if cut, let last, walk?.cut(&part, behind: last) != true {
                // Somebody has changed that key since the look, to one that the key's collation takes for the same. So
                // nobody can tell which rows of the part are left: none of them is taken, and the next read looks anew.
                rows = before
                return (request.cursor, false)
            }
            return (part.cursor, part.exhausted)
        }
        let full = cut || found >= request.limit
        return (Cursor((full ? last : windowEnd ?? last) ?? request.cursor.checkpoint), !full && windowEnd == nil)
    }
}
