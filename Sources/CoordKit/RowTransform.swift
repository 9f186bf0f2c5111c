/// A computation in Swift. It is compiled into the worker, and job files name it as `transform: NAME`.
///
/// It may run several times for a row, in any order and in several processes. So it must depend on the row alone and
/// have no effect outside. An error that it throws fails the shard, whose retries may follow.
public struct RowTransform: Sendable {
    public let name: String
    let body: @Sendable (Row, inout RowWriter) throws -> Void

    public init(_ name: String, _ body: @escaping @Sendable (Row, inout RowWriter) throws -> Void) {
        self.name = name
        self.body = body
    }

    package func callAsFunction(_ row: Row, _ writer: inout RowWriter) throws { try body(row, &writer) }

    /// Writes the columns read, unchanged and in order: to measure coord itself, or to touch rows.
    public static let passthrough = RowTransform("passthrough") { row, writer in
        for column in 0..<row.count { row.withBytes(column) { writer.write($0) } }
    }
}
