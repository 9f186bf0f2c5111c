/// What a read found; the rows themselves stay with the shell.
public struct ReadSummary: Equatable, Sendable {
    /// Rows kept, deferred ones included.
    public var rows: Int
    /// The range holds nothing behind them.
    public var exhausted: Bool

    public init(rows: Int, exhausted: Bool) {
        self.rows = rows
        self.exhausted = exhausted
    }
}
