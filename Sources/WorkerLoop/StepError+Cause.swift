public import Sharding

extension StepError {
    /// What is known of an error as values. The message says the same in words.
    public struct Cause: Equatable, Sendable {
        /// PostgreSQL's code, five characters; nil when the server has refused nothing.
        public var sqlState: String?
        /// The row that the error is about.
        public var key: Key?
        /// The column, by its name, whose value was wrong.
        public var column: String?
        /// What became of the batch; nil when there was none.
        public var effect: Effect?

        public init(sqlState: String? = nil, key: Key? = nil, column: String? = nil, effect: Effect? = nil) {
            self.sqlState = sqlState
            self.key = key
            self.column = column
            self.effect = effect
        }
    }

    /// What became of the batch that was in hand.
    public enum Effect: Equatable, Sendable, CaseIterable {
        /// It was not sent.
        case nothingWritten
        /// The server has rolled it back.
        case rolledBack
        /// The connection broke: only the ledger says whether it was committed.
        case unknown
    }
}
