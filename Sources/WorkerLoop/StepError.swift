public import Sharding

/// Why a step failed, and what follows from it.
public struct StepError: Error, Equatable, Sendable {
    public var kind: Kind
    public var message: String
    /// The same for the same error at the same row; nil where the error concerns no row.
    public var identity: String?
    public var cause: Cause

    public init(_ kind: Kind, _ message: String, identity: String? = nil, cause: Cause = Cause()) {
        self.kind = kind
        self.message = message
        self.identity = identity
        self.cause = cause
    }
}
