public import Sharding

/// The failure of a step. Its kind decides how the machine goes on.
public struct StepError: Error, Equatable, Sendable {
    public var kind: Kind
    public var message: String
    /// Equal for the same error at the same row; nil for an error that concerns no row.
    public var identity: String?
    public var cause: Cause

    public init(_ kind: Kind, _ message: String, identity: String? = nil, cause: Cause = Cause()) {
        self.kind = kind
        self.message = message
        self.identity = identity
        self.cause = cause
    }
}
