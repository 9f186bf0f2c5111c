/// The reason why a job cannot run here. When it is thrown, nothing has been written.
public struct PreflightError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// The job does not fit the database.
        case job
        /// The role lacks rights.
        case permission
    }

    public var code: Code
    public var message: String
    public var mend: String?

    public init(_ code: Code, _ message: String, mend: String? = nil) {
        self.code = code
        self.message = message
        self.mend = mend
    }

    public var description: String { [message, mend].compactMap { $0 }.joined(separator: "\n  ") }
}
