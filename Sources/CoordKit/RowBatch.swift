/// Values of several rows in PostgreSQL's text form, in one buffer, so that a row needs no allocation.
///
/// The calls for each value are inlinable, since they do less work than a call costs.
public struct RowBatch: Sendable {
    @usableFromInline
    struct Cell: Sendable {
        @usableFromInline var offset: Int32
        /// -1 for null.
        @usableFromInline var length: Int32

        @inlinable
        init(offset: Int, length: Int) {
            self.offset = Int32(offset)
            self.length = Int32(length)
        }
    }

    /// Number of values a row has.
    public let columns: Int
    @usableFromInline var storage: [UInt8] = []
    @usableFromInline var cells: [Cell] = []

    public init(columns: Int) { self.columns = columns }

    @inlinable public var rows: Int { columns == 0 ? 0 : cells.count / columns }
    /// Number of values appended.
    package var values: Int { cells.count }
    /// Bytes of the values.
    public var bytes: Int { storage.count }

    /// Appends the next value of the current row; nil for null. Rows follow one another without a separator.
    @inlinable
    public mutating func append(_ value: UnsafeRawBufferPointer?) {
        guard let value else {
            cells.append(Cell(offset: storage.count, length: -1))
            return
        }
        cells.append(Cell(offset: storage.count, length: value.count))
        storage.append(contentsOf: value)
    }

    public mutating func append(_ value: String?) {
        guard var value else { return append(nil as UnsafeRawBufferPointer?) }
        value.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    /// Appends one value: the bytes that `write` adds to the buffer.
    ///
    /// After an error the batch is useless: the bytes written so far stay between its values.
    public mutating func append<E: Error>(writing write: (inout [UInt8]) throws(E) -> Void) throws(E) {
        let start = storage.count
        try write(&storage)
        cells.append(Cell(offset: start, length: storage.count - start))
    }

    /// Calls `body` with the value's bytes, or nil for null.
    @inlinable
    public func withBytes<R>(row: Int, column: Int, _ body: (UnsafeRawBufferPointer?) throws -> R) rethrows -> R {
        let cell = cells[row * columns + column]
        guard cell.length >= 0 else { return try body(nil) }
        return try storage.withUnsafeBytes { buffer in
            try body(UnsafeRawBufferPointer(rebasing: buffer[Int(cell.offset)..<Int(cell.offset + cell.length)]))
        }
    }

    /// The value as text, or nil for null.
    public func text(row: Int, column: Int) -> String? {
        withBytes(row: row, column: column) { bytes in bytes.map { String(decoding: $0, as: UTF8.self) } }
    }

    /// Empties the batch. It keeps its memory for the next rows, unless that is more than `keeping` bytes.
    public mutating func removeAll(keeping bytes: Int = 1 << 20) {
        storage.removeAll(keepingCapacity: storage.capacity <= bytes)
        cells.removeAll(keepingCapacity: true)
    }
}
