package import Sharding

/// A worker's report that it cannot advance a shard.
package struct ShardFailure: Equatable, Sendable {
    package var lease: Lease
    /// For people: what happened, to what, with which effect.
    package var error: String
    package var scope: FailureScope
    /// The same as values. On the wire it keeps to `keyBytes` and `columnBytes`.
    package var cause: FailureCause

    /// The most bytes of a cause's key, over all columns: what is longer is left out, since a key that is cut is another
    /// one. PostgreSQL's own limit of what an index can hold is smaller.
    static let keyBytes = 4096
    /// The most bytes of a cause's column. A name has up to 63 where the server was not built otherwise.
    static let columnBytes = 256

    package init(lease: Lease, error: String, scope: FailureScope, cause: FailureCause = FailureCause()) {
        self.lease = lease
        self.error = error
        self.scope = scope
        self.cause = cause
    }
}
