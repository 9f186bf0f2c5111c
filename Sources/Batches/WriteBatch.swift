import CoordKit
import Postgres
import Sharding

/// The write of a batch that a program has computed: fence, rows and checkpoint in one statement.
///
/// It keeps the memory of its parameters from one batch to the next.
package struct WriteBatch {
    package let statements: BatchStatements
    private let writes: [Target.Column]
    private var parameters = PostgresParameters()

    package init(_ statements: BatchStatements) {
        guard case .compute(_, let writes) = statements.target.change else {
            preconditionFailure("a set job writes no computed values")
        }
        self.statements = statements
        self.writes = writes
    }

    /// A computed value that is no value of its column's type.
    package struct RefusedValue: Error {
        /// The row's index in its batch, from 0.
        package var row: Int
        package var column: Target.Column
    }

    /// Binds some rows of a batch as the write's parameters.
    ///
    /// - Parameter values: the columns that the job writes, row for row.
    /// - Throws: `RefusedValue`.
    package mutating func bind(_ fence: Fence, _ batch: HeldBatch, _ values: RowBatch, _ rows: Range<Int>) throws {
        let key = statements.target.key
        parameters.removeAll()
        fence.append(to: &parameters)
        parameters.append(batch.cursor)
        parameters.append(batch.summary.exhausted ? "t" : "f")
        parameters.append(batch.deferred)
        try key.appendArrays(batch.rows, rows, to: &parameters)
        try ValueEncoder.append(batch.rows, column: key.versionColumn, rows: rows, as: .xid, to: &parameters)
        try ValueEncoder.append(batch.rows, column: key.placeColumn, rows: rows, as: .tid, to: &parameters)
        parameters.append(batch.unchanged)
        for (index, column) in writes.enumerated() {
            do {
                try ValueEncoder.append(values, column: index, rows: rows, as: ValueForm.of(column), to: &parameters)
            } catch let fault as ValueEncoder.Fault {
                throw RefusedValue(row: fault.row, column: column)
            }
        }
    }

    private static let settings = "coord_write_settings"
    private static func name(_ aroundHeld: Bool) -> String { aroundHeld ? "coord_write_around" : "coord_write" }

    /// Prepares the statements of `send` and `run`.
    package func prepare(aroundHeld: Bool = false, _ connection: PostgresConnection) throws(PostgresError) {
        try connection.prepare(Self.settings, statements.writeSettings)
        // The server plans it at its first use, under these settings.
        try connection.prepare(Self.name(aroundHeld), statements.write(aroundHeld: aroundHeld))
    }

    /// Sends the bound write as one transaction; the connection is in pipeline mode.
    package func send(aroundHeld: Bool = false, _ connection: PostgresConnection) throws(PostgresError) {
        try connection.send(prepared: Self.settings, PostgresParameters())
        try connection.send(prepared: Self.name(aroundHeld), parameters)
        try connection.sync()
    }

    /// Waits for the answer to `send`. After an error, the answers to later requests can still be received.
    /// - Returns: nil where the fence refused it.
    package func receive(_ connection: PostgresConnection) throws -> BatchOutcome? {
        var failure: PostgresError?
        var result: PostgresResult?
        do { _ = try connection.nextResult() } catch { failure = error }
        do { result = try connection.nextResult() } catch { failure = failure ?? error }
        try connection.nextSync()
        if let failure { throw failure }
        return try result.flatMap { try BatchOutcome(ofWrite: $0, statements.target.key) }
    }

    /// Runs the bound write within the open transaction.
    package func run(aroundHeld: Bool = false, _ connection: PostgresConnection) throws -> BatchOutcome? {
        try prepare(aroundHeld: aroundHeld, connection)
        _ = try connection.executePrepared(Self.settings, "", PostgresParameters())
        return try BatchOutcome(
            ofWrite: try connection.executePrepared(Self.name(aroundHeld), "", parameters), statements.target.key)
    }
}
