import Postgres
import Sharding

/// The ledger in one schema of a database, over one connection. It belongs to that connection's thread.
///
/// It has no statements: those belong to the roles.
package struct LedgerSession {
    package let connection: PostgresConnection
    package let schema: LedgerSchema
    /// The quoted schema.
    var ledger: String { schema.quoted }

    /// - Parameter schema: the same for all sessions over this connection, since its prepared statements name it.
    package init(_ connection: PostgresConnection, schema: LedgerSchema = .standard) {
        self.connection = connection
        self.schema = schema
    }

    /// - Returns: the number of rows that the statement changed.
    @discardableResult
    func run(_ statement: some LedgerStatement) throws(PostgresError) -> Int64 {
        try connection.run(statement, in: ledger)
    }

    func rows<Query: LedgerQuery>(_ query: Query) throws -> [Query.Row] { try connection.rows(query, in: ledger) }

    /// The row of a query that returns at most one.
    func first<Query: LedgerQuery>(_ query: Query) throws -> Query.Row? { try connection.first(query, in: ledger) }

    /// The row of a query that always returns one.
    func only<Query: LedgerQuery>(_ query: Query) throws -> Query.Row { try connection.only(query, in: ledger) }

    /// Runs `body` in one transaction, or in the one that is open.
    func transaction<R>(_ body: () throws -> R) throws -> R {
        if connection.isInTransaction { return try body() }
        try connection.execute(script: "BEGIN")
        do {
            let result = try body()
            try connection.execute(script: "COMMIT")
            return result
        } catch {
            // The rollback fails only on a broken connection, which has ended the transaction already.
            _ = try? connection.execute(script: "ROLLBACK")
            throw error
        }
    }
}
