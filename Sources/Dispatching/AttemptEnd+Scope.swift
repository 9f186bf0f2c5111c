public import Sharding

extension AttemptEnd {
    /// The end of an attempt that its worker reports as failed.
    ///
    /// - Parameter scope: how far the cause reaches. Only `attempt` and `shard` count against the shard.
    public init(failedBy scope: FailureScope, error: String, cause: FailureCause = FailureCause()) {
        switch scope {
        case .attempt: self.init(.failed, error: error, cause: cause)
        case .shard: self.init(.failed, error: error, permanent: true, cause: cause)
        case .worker: self.init(.unfit, error: error, cause: cause)
        case .run: self.init(.released, error: error, cause: cause)
        }
    }
}
