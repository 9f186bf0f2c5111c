public import Sharding

extension AttemptEnd {
    /// The end of an attempt whose worker says that it cannot go on.
    ///
    /// - Parameter scope: what stops the run says nothing of the shard, nor does what is the worker's own affair.
    public init(failedBy scope: FailureScope, error: String, cause: FailureCause = FailureCause()) {
        switch scope {
        case .attempt: self.init(.failed, error: error, cause: cause)
        case .shard: self.init(.failed, error: error, permanent: true, cause: cause)
        case .worker: self.init(.unfit, error: error, cause: cause)
        case .run: self.init(.released, error: error, cause: cause)
        }
    }
}
