public import Sharding

// The coordinator gets the cause too, so its types are in Sharding.
extension StepError {
    public typealias Kind = FailureKind
    public typealias Cause = FailureCause
    public typealias Effect = FailureCause.Effect

    /// The cause for the coordinator.
    public var told: FailureCause {
        var told = cause
        told.kind = kind
        return told
    }
}
