/// What is known of a failure as values. The error's text says the same in words.
public struct FailureCause: Equatable, Sendable {
    /// What became of the batch that was in hand.
    public enum Effect: String, Equatable, Sendable, CaseIterable {
        /// It was not sent.
        case nothingWritten
        /// The server has rolled it back.
        case rolledBack
        /// The connection broke: only the ledger says whether it was committed.
        case unknown
    }

    /// What follows from it; nil where nobody has said.
    public var kind: FailureKind?
    /// PostgreSQL's code, five characters; nil when the server has refused nothing.
    public var sqlState: String?
    /// The row that the error is about.
    public var key: Key?
    /// The column, by its name, whose value was wrong.
    public var column: String?
    /// What became of the batch; nil when there was none.
    public var effect: Effect?
    /// The process id of the server's session that is in the way; nil when none is, or it is not known.
    public var holder: Int32?

    public init(
        kind: FailureKind? = nil, sqlState: String? = nil, key: Key? = nil, column: String? = nil,
        effect: Effect? = nil, holder: Int32? = nil
    ) {
        self.kind = kind
        self.sqlState = sqlState
        self.key = key
        self.column = column
        self.effect = effect
        self.holder = holder
    }
}
