public import Sharding

extension AttemptEnd {
    /// The end of an attempt whose worker says that it cannot go on.
    ///
    /// - Parameter scope: what stops the run says nothing of the shard, nor does what is the worker's own affair.
    public init(failedBy scope: FailureScope, error: String) {
        switch scope {
        case .attempt: self.init(.failed, error: error)
        case .shard: self.init(.failed, error: error, permanent: true)
        case .worker: self.init(.unfit, error: error)
        case .run: self.init(.released, error: error)
        }
    }
}
