/// An error of the server or of the connection to it.
///
/// `description` holds only the server's primary message. `DETAIL` may quote a row, so it is kept apart and is not
/// shown.
public struct PostgresError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Five characters; nil for an error of the client, such as a broken connection.
    public var sqlState: String?
    public var message: String
    public var detail: String?
    public var hint: String?
    /// Place of the error in the statement, in characters from 1.
    public var position: Int?

    public init(
        sqlState: String?, message: String, detail: String? = nil, hint: String? = nil, position: Int? = nil
    ) {
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
        self.hint = hint
        self.position = position
    }

    public var description: String {
        sqlState.map { "\(message) (SQLSTATE \($0))" } ?? message
    }

    public var recovery: Recovery { Recovery.of(sqlState: sqlState) }

    /// Whether the server answers but accepts no writes: a standby, or a server that its operator has made read-only.
    public var isReadOnly: Bool { sqlState == "25006" }
}
