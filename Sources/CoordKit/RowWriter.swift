/// Takes a transform's values for one row: one value for each column that the job writes, in the job's order.
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
