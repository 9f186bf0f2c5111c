/// What has become of a table's storage since its run began. Others write meanwhile too: what they do is in it.
public struct StorageChange: Sendable, Equatable {
    public var begin: StorageFigures
    public var last: StorageFigures

    public init(begin: StorageFigures, last: StorageFigures) {
        self.begin = begin
        self.last = last
    }

    /// Updates whose new version stayed on its page, of all since then, 0 to 1; nil before the first, and where the statistics were
    /// reset.
    public var hotShare: Double? {
        let (updates, hot) = (last.updates - begin.updates, last.hotUpdates - begin.hotUpdates)
        guard updates > 0, hot >= 0 else { return nil }
        return min(1, Double(hot) / Double(updates))
    }

    /// The table's file, as a multiple of its size then; nil where it was empty.
    public var heapGrowth: Double? { Self.ratio(last.heapBytes, begin.heapBytes) }
    /// All indexes together, as a multiple of their size then; nil where there were none.
    public var indexGrowth: Double? { Self.ratio(last.indexBytes, begin.indexBytes) }

    /// Bytes of WAL for each row that the run has updated; nil before the first.
    public var walBytesPerRow: Int64? {
        let (rows, bytes) = (last.rowsDone - begin.rowsDone, last.walBytes - begin.walBytes)
        return rows > 0 && bytes >= 0 ? bytes / rows : nil
    }

    private static func ratio(_ now: Int64, _ then: Int64) -> Double? { then > 0 ? Double(now) / Double(then) : nil }
}
