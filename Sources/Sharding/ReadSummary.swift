/// What a read found; the rows themselves stay with the shell.
public struct ReadSummary: Equatable, Sendable {
    /// Rows kept, deferred ones included.
    public var rows: Int
    /// The last key of the range part, to become the checkpoint; nil when that part was empty.
    public var through: Key?
    /// The range holds nothing behind `through`.
    public var exhausted: Bool

    public init(rows: Int, through: Key?, exhausted: Bool) {
        self.rows = rows
        self.through = through
        self.exhausted = exhausted
    }
}
