package import Sharding

/// A worker's report that it cannot advance a shard.
package struct ShardFailure: Equatable, Sendable {
    package var lease: Lease
    /// The error's text for people: the event, its subject and its effect.
    package var error: String
    package var scope: FailureScope
    /// The same as values. On the wire it keeps to `keyBytes` and `columnBytes`.
    package var cause: FailureCause

    /// The most bytes of a cause's key, over all columns. A longer key is left out, since a cut key would be another
    /// key. PostgreSQL's limit on an index entry is smaller.
    static let keyBytes = 4096
    /// The most bytes of a cause's column. A name has at most 63, unless the server was built otherwise.
    static let columnBytes = 256

    package init(lease: Lease, error: String, scope: FailureScope, cause: FailureCause = FailureCause()) {
        self.lease = lease
        self.error = error
        self.scope = scope
        self.cause = cause
    }
}
