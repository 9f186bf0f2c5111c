import Sharding

/// What has become of a table's storage since its run began, for programs and for people.
struct StorageObject: Encodable {
    /// Of all updates of the table, those whose new version stayed on its page, 0 to 1; null where there were none.
    var hotShare: Nullable<Double>
    /// The table's file and all its indexes, as multiples of what they were.
    var heapGrowth: Nullable<Double>
    var indexGrowth: Nullable<Double>
    /// Of the whole server, for each row that the run has changed.
    var walBytesPerRow: Nullable<Int64>
    var heapBytes: Int64
    var indexBytes: Int64

    private let isNone: Bool

    private enum CodingKeys: CodingKey {
        case hotShare, heapGrowth, indexGrowth, walBytesPerRow, heapBytes, indexBytes
    }

    init(_ change: StorageChange) {
        isNone = change.isNone
        hotShare = Nullable(change.hotShare.map { Self.rounded($0) })
        heapGrowth = Nullable(change.heapGrowth.map { Self.rounded($0) })
        indexGrowth = Nullable(change.indexGrowth.map { Self.rounded($0) })
        walBytesPerRow = Nullable(change.walBytesPerRow)
        heapBytes = change.last.heapBytes
        indexBytes = change.last.indexBytes
    }

    private static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }

    /// One line; nil where there is nothing to tell.
    var text: String? {
        let parts = [
            hotShare.value.map { "\(Int(($0 * 100).rounded())) % HOT" },
            heapGrowth.value.map { "table \(Self.times($0))" }, indexGrowth.value.map { "indexes \(Self.times($0))" },
            walBytesPerRow.value.map { "\(NumberFormat.grouped($0)) bytes of WAL a row" },
        ].compactMap { $0 }
        return isNone || parts.isEmpty ? nil : "storage: " + parts.joined(separator: ", ")
    }

    private static func times(_ growth: Double) -> String { "\((growth * 100).rounded() / 100) x" }
}
