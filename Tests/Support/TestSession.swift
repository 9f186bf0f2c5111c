import Host
import Postgres

/// A connection with its own thread, for statements that wait while the test continues.
///
/// If a test restarts the server and the connection is lost, the next call makes a new one.
package actor TestSession {
    private let executor = ThreadExecutor(name: "test session")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let settings: PostgresConnection.Settings
    private var connection: PostgresConnection?

    package init(_ settings: PostgresConnection.Settings) { self.settings = settings }

    package func with<R: Sendable>(_ body: @Sendable (PostgresConnection) throws -> R) throws -> R {
        if let connection, connection.isAlive { return try body(connection) }
        connection = nil
        let made = try PostgresConnection(settings)
        connection = made
        return try body(made)
    }

    package func close() { connection = nil }

    package func pid() throws -> Int32 { try with { $0.backendPID } }
}
