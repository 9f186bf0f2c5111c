/// What has become of a table's storage since its run began. Others write meanwhile too: what they do is in it. Its counts
/// leave out the time in which the run had no coordinator.
public struct StorageChange: Sendable, Equatable {
    public var begin: StorageFigures
    public var last: StorageFigures
    public var counted: StorageCounts

    /// - Parameter counted: nil if the two measurements have no other one between them.
    public init(begin: StorageFigures, last: StorageFigures, counted: StorageCounts? = nil) {
        self.begin = begin
        self.last = last
        self.counted = counted ?? StorageCounts()
        if counted == nil { self.counted.add(from: begin, to: last) }
    }

    /// The change with a further measurement.
    ///
    /// - Parameter isSameTerm: whether the last measurement is of the same coordinator. Between two coordinators only
    ///   others have written.
    public func measured(_ figures: StorageFigures, isSameTerm: Bool) -> StorageChange {
        var change = self
        if isSameTerm { change.counted.add(from: last, to: figures) }
        change.last = figures
        return change
    }

    /// Updates whose new version stayed on its page, of all that were counted, 0 to 1; nil before the first.
    public var hotShare: Double? {
        guard counted.updates > 0, 0...counted.updates ~= counted.hotUpdates else { return nil }
        return Double(counted.hotUpdates) / Double(counted.updates)
    }

    /// Whether nothing has happened yet that is worth a word.
    public var isNone: Bool {
        counted.updates == 0 && counted.rowsDone == 0 && begin.heapBytes == last.heapBytes
            && begin.indexBytes == last.indexBytes
    }

    /// The table's file, as a multiple of its size then; nil where it was empty.
    public var heapGrowth: Double? { Self.ratio(last.heapBytes, begin.heapBytes) }
    /// All indexes together, as a multiple of their size then; nil where there were none.
    public var indexGrowth: Double? { Self.ratio(last.indexBytes, begin.indexBytes) }

    /// Bytes of WAL for each row that the run has updated; nil before the first.
    public var walBytesPerRow: Int64? {
        counted.rowsDone > 0 ? counted.walBytes / counted.rowsDone : nil
    }

    private static func ratio(_ now: Int64, _ then: Int64) -> Double? { then > 0 ? Double(now) / Double(then) : nil }
}
