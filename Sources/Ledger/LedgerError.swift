public import Postgres

/// An error of the ledger, with what it means for the caller.
public struct LedgerError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// There is no ledger in this database yet.
        case notInstalled
        /// The ledger was made by a newer coord.
        case newer(version: Int)
        /// The role may not use or make the ledger.
        case forbidden
        case unknownRun
        /// Another coordinator owns the run.
        case owned(by: String)
        /// The run is in a state that does not allow it.
        case wrongState(String)
    }

    public var code: Code
    public var message: String
    /// The command to go on with.
    public var mend: String?
    public var cause: PostgresError?

    public init(_ code: Code, _ message: String, mend: String? = nil, cause: PostgresError? = nil) {
        self.code = code
        self.message = message
        self.mend = mend
        self.cause = cause
    }

    public var description: String {
        [message, mend].compactMap { $0 }.joined(separator: "\n  ")
    }
}
