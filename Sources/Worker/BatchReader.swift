import CoordKit
import Job
import Ledger
import Postgres
import Sharding
import WorkerLoop

/// Rows that were read and wait to be computed and written.
struct HeldBatch {
    /// Key, xmin, ctid, then the columns that the job reads.
    var rows: RowBatch
    var summary: ReadSummary
    /// Deferred keys that this read asked for, found or not.
    var deferred: [Key]
    /// The rows are locked by a transaction that is open.
    var locked: Bool
    /// How many of the rows, which come first, are deferred ones.
    var deferredRows = 0
    /// Deferred rows that the database does not change, taken out of `rows`.
    var unchanged: Int64 = 0
}

/// Reads batches bounded in rows and bytes.
///
/// Rows are taken one at a time from libpq, and no more are kept than the byte limit allows, but at least one: a row
/// wider than the limit is a batch of its own. The number of rows asked for follows the width of the rows seen lately,
/// so that few rows are read in vain.
final class BatchReader {
    private let statements: BatchStatements
    private let limits: BatchLimits
    private let columns: Int
    /// Bytes a row lately; rows that become wider count at once, narrower ones by and by.
    private var rowBytes = 0.0
    /// How many keys a read with a predicate may look at for each row that it wants.
    static let windowFactor = 10

    init(statements: BatchStatements, limits: BatchLimits, columns: Int) {
        self.statements = statements
        self.limits = limits
        self.columns = columns
    }

    /// What one read asks for.
    struct Request {
        var name: String
        var parameters: PostgresParameters
        var limit: Int
        var deferred: [Key]
        var deferredParameters: PostgresParameters?
        var deferredName: String
        var locked: Bool
        var skipRange: Bool
    }

    private func limit(_ budget: Int) -> Int {
        let rows = min(limits.rows, budget)
        guard rowBytes > 0 else { return rows }
        // A quarter more than fits, so that narrower rows are noticed.
        return max(1, min(rows, Int(Double(limits.bytes) / rowBytes * 1.25)))
    }

    /// - Parameters:
    ///   - budget: rows that a batch may have by now, beside the job's own limit.
    ///   - window: keys that a read with a predicate may look at; nil for the usual.
    func prepare(
        _ range: KeyRange, _ position: Position, locking: Bool, budget: Int = .max, window: Int? = nil,
        _ connection: PostgresConnection
    ) throws -> Request {
        let lower = position.checkpoint ?? range.after
        let upper = range.through
        var parameters = PostgresParameters()
        if let lower { parameters.append(lower.components[0]) }
        if let upper { parameters.append(upper.components[0]) }
        let limit = limit(budget)
        parameters.append(limit)
        if statements.target.predicate != nil { parameters.append((window ?? limit * Self.windowFactor) - 1) }
        let name = "coord_read_\(lower == nil ? 0 : 1)\(upper == nil ? 0 : 1)"
        try connection.prepare(name, statements.read(hasLower: lower != nil, hasUpper: upper != nil))
        // So many that a batch of them alone stays within its limit.
        let deferred = Array(position.deferred.prefix(limit))
        let deferredName = "coord_deferred_\(locking ? 1 : 0)"
        var deferredParameters: PostgresParameters?
        if !deferred.isEmpty {
            try connection.prepare(deferredName, statements.readDeferred(locking: locking))
            deferredParameters = try HeldRows.parameters(deferred, statements.target)
        }
        return Request(
            name: name, parameters: parameters, limit: limit, deferred: deferred,
            deferredParameters: deferredParameters, deferredName: deferredName, locked: locking, skipRange: locking)
    }

    func read(
        _ range: KeyRange, _ position: Position, locking: Bool, budget: Int = .max, window: Int? = nil,
        _ connection: PostgresConnection
    ) throws -> HeldBatch {
        let request = try prepare(range, position, locking: locking, budget: budget, window: window, connection)
        try connection.enterPipeline()
        try send(request, connection)
        let batch = try receive(request, connection)
        try connection.leavePipeline()
        return batch
    }

    /// Sends the read; the connection is in pipeline mode.
    func send(_ request: Request, _ connection: PostgresConnection) throws {
        if let list = request.deferredParameters {
            try connection.send(prepared: request.deferredName, list)
            try connection.sync()
        }
        guard !request.skipRange else { return }
        try connection.send(prepared: request.name, request.parameters)
        try connection.sync()
    }

    func receive(_ request: Request, _ connection: PostgresConnection) throws -> HeldBatch {
        var rows = RowBatch(columns: columns)
        var failure: PostgresError?
        if request.deferredParameters != nil {
            do {
                try connection.forEachRow { row in
                    for column in 0..<columns { rows.append(row.bytes(column)) }
                    return true
                }
            } catch { failure = error }
            try connection.nextSync()
        }
        let deferredRows = rows.rows
        var summary = ReadSummary(rows: rows.rows, through: nil, exhausted: false)
        if !request.skipRange {
            do { summary = try receiveRange(request, &rows, connection) } catch { failure = failure ?? error }
            try connection.nextSync()
        }
        if let failure { throw failure }
        return HeldBatch(
            rows: rows, summary: summary, deferred: request.deferred, locked: request.locked, deferredRows: deferredRows
        )
    }

    private func receiveRange(_ request: Request, _ rows: inout RowBatch, _ connection: PostgresConnection)
        throws(PostgresError) -> ReadSummary
    {
        let offset = statements.target.predicate == nil ? 0 : 1
        let before = rows.rows
        let bytesBefore = rows.bytes
        var windowEnd: String?
        var cut = false
        var kept = rows
        rows = RowBatch(columns: columns)
        try connection.forEachRow { row in
            if offset == 1 {
                windowEnd = row.text(0)
                // No row of the window meets the predicate.
                if row.bytes(1) == nil { return true }
            }
            var width = 0
            for column in 0..<columns { width += row.length(column + offset) }
            if kept.rows > before, kept.bytes + width > limits.bytes {
                // It is read again at the head of the next batch.
                cut = true
                return false
            }
            for column in 0..<columns { kept.append(row.bytes(column + offset)) }
            return true
        }
        rows = kept
        let found = rows.rows - before
        if found > 0 {
            let width = Double(rows.bytes - bytesBefore) / Double(found)
            rowBytes = max(width, rowBytes * 0.9 + width * 0.1)
        }
        let last = found > 0 ? rows.text(row: rows.rows - 1, column: 0).map { Key($0) } : nil
        let full = cut || found >= request.limit
        if full { return ReadSummary(rows: rows.rows, through: last, exhausted: false) }
        if let windowEnd { return ReadSummary(rows: rows.rows, through: Key(windowEnd), exhausted: false) }
        return ReadSummary(rows: rows.rows, through: last, exhausted: true)
    }
}
