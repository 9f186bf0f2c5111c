/// How much one transaction may hold. A batch ends at whichever limit it meets first.
public struct BatchLimits: Codable, Sendable, Equatable {
    /// The most rows, 1 to 100,000. Default: 1000.
    public var rows: Int
    /// The most bytes of row data, 4 KiB to 256 MiB. Default: 4 MiB. A single larger row is a batch of its own.
    public var bytes: Int

    /// The allowed rows.
    public static let rowsRange = 1...100_000
    /// The allowed bytes.
    public static let bytesRange = 4 << 10...256 << 20

    public init(rows: Int = 1000, bytes: Int = 4 << 20) {
        self.rows = rows
        self.bytes = bytes
    }
}
