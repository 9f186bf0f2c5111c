import Postgres
import Sharding

/// The calls on the ledger of one kind of process. A process with a role can make no other calls.
///
/// Every method is one transaction, unless its comment says otherwise.
package protocol LedgerRole {
    init(_ session: LedgerSession)
}

extension LedgerRole {
    /// - Parameter schema: the same for all roles over this connection.
    package init(_ connection: PostgresConnection, schema: LedgerSchema = .standard) {
        self.init(LedgerSession(connection, schema: schema))
    }
}
