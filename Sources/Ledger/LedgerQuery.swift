import Postgres
import Sharding

/// One statement on the ledger, as a value: its name, its SQL and its parameters.
protocol LedgerStatement {
    /// The statement's name. It stands before the SQL, so that logs, `pg_stat_activity` and errors show it, and names
    /// the prepared statement.
    static var name: String { get }
    /// Whether the statement is prepared once for each connection, since it runs over and over.
    static var isPrepared: Bool { get }
    /// - Parameter ledger: the ledger's schema as SQL writes it.
    static func sql(_ ledger: String) -> String

    var parameters: PostgresParameters { get }
    /// The run that the statement is about; nil if it is about none or several.
    var subject: RunID? { get }
}

extension LedgerStatement {
    static var isPrepared: Bool { false }
    var parameters: PostgresParameters { PostgresParameters() }
    var subject: RunID? { nil }

    fileprivate static func text(_ ledger: String) -> String { "-- name: \(name)\n" + sql(ledger) }
}

/// A statement with rows, which its decoder reads by the names of their columns.
protocol LedgerQuery: LedgerStatement {
    associatedtype Row

    /// Looks up the columns once for a result.
    /// - Returns: the function that reads one row.
    func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Row
}

// The only calls on a connection that carry the ledger's data.
extension PostgresConnection {
    /// Runs a statement and ignores its rows.
    /// - Returns: the number of rows that it changed.
    @discardableResult
    func run<Statement: LedgerStatement>(_ statement: Statement, in ledger: String) throws(PostgresError) -> Int64 {
        try result(of: statement, in: ledger).affected
    }

    /// - Throws: `PostgresError`, or `LedgerError` with code `damaged` when a row holds an unreadable value.
    func rows<Query: LedgerQuery>(_ query: Query, in ledger: String) throws -> [Query.Row] {
        let result = try result(of: query, in: ledger)
        let columns = LedgerColumns(result, query: Query.name, subject: query.subject)
        let decode = try query.decoder(columns)
        return try (0..<result.rows).map { index in try decode(columns.row(index)) }
    }

    /// The row of a query that returns at most one.
    func first<Query: LedgerQuery>(_ query: Query, in ledger: String) throws -> Query.Row? {
        let rows = try rows(query, in: ledger)
        guard rows.count <= 1 else {
            throw LedgerError.damaged(
                query.subject, "\(Query.name) found \(rows.count) rows, where there can be one at most")
        }
        return rows.first
    }

    /// The row of a query that always returns one.
    func only<Query: LedgerQuery>(_ query: Query, in ledger: String) throws -> Query.Row {
        guard let row = try first(query, in: ledger) else {
            throw LedgerError.damaged(query.subject, "\(Query.name) found no row, where there must be one")
        }
        return row
    }

    private func result<Statement: LedgerStatement>(of statement: Statement, in ledger: String) throws(PostgresError)
        -> PostgresResult
    {
        if Statement.isPrepared {
            return try executePrepared(Statement.name, Statement.text(ledger), statement.parameters)
        }
        return try execute(Statement.text(ledger), statement.parameters)
    }
}
