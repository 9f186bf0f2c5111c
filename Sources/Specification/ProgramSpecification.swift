/// The program or transform that computes a batch's new values, and its limits.
public struct ProgramSpecification: Codable, Sendable, Equatable {
    public enum Program: Codable, Sendable, Equatable {
        /// A program and its arguments, run without a shell in `directory`.
        case command([String], directory: String)
        /// A transform that is compiled into the worker.
        case transform(String)
    }

    public var program: Program
    /// The program's time for one batch.
    public var timeout: Duration
    /// Whether values of bigint and numeric columns are sent as strings.
    public var quotesNumbers: Bool

    public init(_ program: Program, timeout: Duration, quotesNumbers: Bool) {
        self.program = program
        self.timeout = timeout
        self.quotesNumbers = quotesNumbers
    }
}
