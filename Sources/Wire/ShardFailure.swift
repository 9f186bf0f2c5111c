package import Sharding

/// A worker's report that it cannot advance a shard.
package struct ShardFailure: Equatable, Sendable {
    package var lease: Lease
    /// For people: what happened, to what, with which effect.
    package var error: String
    package var scope: FailureScope

    package init(lease: Lease, error: String, scope: FailureScope) {
        self.lease = lease
        self.error = error
        self.scope = scope
    }
}
