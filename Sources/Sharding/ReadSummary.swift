/// The size of a read, for the state machine. The rows themselves stay with the shell.
public struct ReadSummary: Equatable, Sendable {
    /// Rows kept, deferred ones included.
    public var rows: Int
    /// No row of the range is left behind these.
    public var exhausted: Bool

    public init(rows: Int, exhausted: Bool) {
        self.rows = rows
        self.exhausted = exhausted
    }
}
