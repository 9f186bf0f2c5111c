import Ledger
import Postgres
import Testing

/// The error of the server or of the connection that `body` throws.
package func postgresError(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) throws -> PostgresError {
    try expectedError(sourceLocation, body)
}

/// The error of the ledger that `body` throws.
package func ledgerError(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) throws -> LedgerError {
    try expectedError(sourceLocation, body)
}

private func expectedError<Expected: Error>(
    _ sourceLocation: SourceLocation, _ body: () throws -> Void
) throws -> Expected {
    do {
        try body()
    } catch let error as Expected {
        return error
    }
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    throw CancellationError()
}
