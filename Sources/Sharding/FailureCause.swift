/// The facts of a failure as values. The error's text says the same in words.
public struct FailureCause: Equatable, Sendable {
    /// The fate of the batch in hand.
    public enum Effect: String, Equatable, Sendable, CaseIterable {
        /// The batch was not sent.
        case nothingWritten
        /// The server has rolled the batch back.
        case rolledBack
        /// The connection broke: only the ledger says whether the batch was committed.
        case unknown
    }

    /// The kind, which decides how to go on; nil if the worker has not told it.
    public var kind: FailureKind?
    /// PostgreSQL's code, five characters; nil when the error is not the server's.
    public var sqlState: String?
    /// The row that the error is about.
    public var key: Key?
    /// The name of the column whose value was wrong.
    public var column: String?
    /// The fate of the batch; nil when there was none.
    public var effect: Effect?
    /// The pid of the session that holds the wanted lock; nil if there is none or it is not known.
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
