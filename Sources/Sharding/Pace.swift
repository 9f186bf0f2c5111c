/// The limits that somebody has set for a run while it is at work.
public struct Pace: Equatable, Sendable {
    /// The most workers that may write at the same time; nil for no limit.
    public var writers: Int?
    /// The most rows a second that all workers together may change; nil for no limit.
    public var rowsPerSecond: Int64?
    /// When the limits end, in seconds since the epoch; nil if they stay.
    public var until: Double?
    /// Who set them: role and host.
    public var by: String

    public init(writers: Int? = nil, rowsPerSecond: Int64? = nil, until: Double? = nil, by: String = "") {
        self.writers = writers
        self.rowsPerSecond = rowsPerSecond
        self.until = until
        self.by = by
    }

    /// Whether nothing is limited.
    public var isEmpty: Bool { writers == nil && rowsPerSecond == nil }
}
