/// What a table takes up, and counters of what is done to it, at one moment.
public struct StorageFigures: Sendable, Equatable {
    /// Bytes of the table's own file.
    public var heapBytes: Int64
    /// Bytes of all its indexes.
    public var indexBytes: Int64
    /// Rows updated, by anybody, as the server's statistics count them.
    public var updates: Int64
    /// Those of them whose new version stayed on its page.
    public var hotUpdates: Int64
    /// Bytes that the server has written to its write-ahead log, for anybody.
    public var walBytes: Int64
    /// Rows that the run has updated.
    public var rowsDone: Int64

    public init(
        heapBytes: Int64, indexBytes: Int64, updates: Int64, hotUpdates: Int64, walBytes: Int64, rowsDone: Int64
    ) {
        self.heapBytes = heapBytes
        self.indexBytes = indexBytes
        self.updates = updates
        self.hotUpdates = hotUpdates
        self.walBytes = walBytes
        self.rowsDone = rowsDone
    }
}
