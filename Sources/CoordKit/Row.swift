/// One row as a transform sees it: the columns that the job reads, in the job's order.
public struct Row {
    let batch: RowBatch
    let index: Int
    let names: [String]
    /// Number of the batch's columns before the columns that the job reads.
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
