import Postgres
import Sharding

/// What one kind of process does with the ledger. Whoever is given a role can do that, and nothing else.
///
/// Every method is one transaction, unless it says otherwise.
package protocol LedgerRole {
    init(_ session: LedgerSession)
}

extension LedgerRole {
    /// - Parameter schema: one for all roles over this connection.
    package init(_ connection: PostgresConnection, schema: LedgerSchema = .standard) {
        self.init(LedgerSession(connection, schema: schema))
    }
}
