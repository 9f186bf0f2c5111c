/// One row as a transform sees it: the columns that the job reads, in the job's order.
public struct Row {
    let batch: RowBatch
    let index: Int
    let names: [String]
    /// Columns of the batch before the ones that the job reads.
    let skipped: Int

    package init(batch: RowBatch, index: Int, names: [String], skipped: Int) {
        self.batch = batch
        self.index = index
        self.names = names
        self.skipped = skipped
    }

    /// Number of columns.
    public var count: Int { names.count }

    /// The value in PostgreSQL's text form, or nil for null.
    public subscript(column: Int) -> String? { batch.text(row: index, column: column + skipped) }

    /// The value of a column by its name; nil for null. A name that the job does not read is a programming error.
    public subscript(name: String) -> String? {
        guard let column = names.firstIndex(where: { $0.utf8.elementsEqual(name.utf8) }) else {
            preconditionFailure("the job does not read \(name)")
        }
        return self[column]
    }

    /// Calls `body` with the value's bytes, or nil for null, without a copy.
    public func withBytes<R>(_ column: Int, _ body: (UnsafeRawBufferPointer?) throws -> R) rethrows -> R {
        try batch.withBytes(row: index, column: column + skipped, body)
    }
}

/// Takes the values that a transform computes for one row: one for each column that the job writes, in its order.
public struct RowWriter: ~Copyable {
    package private(set) var batch: RowBatch
    package init(batch: consuming RowBatch) { self.batch = batch }

    /// Writes the next column in PostgreSQL's text form; nil for null.
    public mutating func write(_ text: String?) { batch.append(text) }

    public mutating func write(_ number: some BinaryInteger) { batch.append(String(number)) }

    /// Writes the next column's text from bytes.
    public mutating func write(_ bytes: UnsafeRawBufferPointer?) { batch.append(bytes) }

    package consuming func finish() -> RowBatch { batch }
}

/// A computation in Swift, compiled into a worker and named in job files as `transform: NAME`.
///
/// It may run more often than once for a row, in any order and in several processes, so it must depend on the row
/// alone and have no effect outside. An error that it throws fails the shard, whose retries may follow.
public struct RowTransform: Sendable {
    public let name: String
    let body: @Sendable (Row, inout RowWriter) throws -> Void

    public init(_ name: String, _ body: @escaping @Sendable (Row, inout RowWriter) throws -> Void) {
        self.name = name
        self.body = body
    }

    package func callAsFunction(_ row: Row, _ writer: inout RowWriter) throws { try body(row, &writer) }

    /// Writes the columns read as they are, in order: to measure coord itself, or to touch rows.
    public static let passthrough = RowTransform("passthrough") { row, writer in
        for column in 0..<row.count { row.withBytes(column) { writer.write($0) } }
    }
}
