public import Sharding

// What is known of an error is told to the coordinator, so its values are of the common vocabulary.
extension StepError {
    public typealias Kind = FailureKind
    public typealias Cause = FailureCause
    public typealias Effect = FailureCause.Effect

    /// The cause as the coordinator is told it.
    public var told: FailureCause {
        var told = cause
        told.kind = kind
        return told
    }
}
