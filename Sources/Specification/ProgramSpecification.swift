/// What computes the new values of a batch, and how.
public struct ProgramSpecification: Codable, Sendable, Equatable {
    public enum Program: Codable, Sendable, Equatable {
        /// A program and its arguments, run without a shell in a folder.
        case command([String], directory: String)
        /// A transform that is compiled into the worker.
        case transform(String)
    }

    public var program: Program
    /// For one batch.
    public var timeout: Duration
    /// Numbers that may have more digits than a double go out as strings.
    public var quotesNumbers: Bool

    public init(_ program: Program, timeout: Duration, quotesNumbers: Bool) {
        self.program = program
        self.timeout = timeout
        self.quotesNumbers = quotesNumbers
    }
}
