/// How a batch's statement reaches the ledger's row of its shard.
package enum LedgerAccess: Sendable {
    /// By its tables, which the role may change. It costs the server 50 µs less a batch.
    case tables
    /// By functions of the ledger, which need no right on its tables.
    case functions
}
