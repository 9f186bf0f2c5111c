import Postgres
import Testing

/// A connection on a thread of its own, for statements that wait while the test goes on.
actor TestSession {
    private let executor = ThreadExecutor(name: "test session")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let settings: PostgresConnection.Settings
    private var connection: PostgresConnection?

    init(_ settings: PostgresConnection.Settings) { self.settings = settings }

    func with<R: Sendable>(_ body: @Sendable (PostgresConnection) throws -> R) throws -> R {
        if let connection { return try body(connection) }
        let made = try PostgresConnection(settings)
        connection = made
        return try body(made)
    }

    func pid() throws -> Int32 { try with { $0.backendPID } }
}

extension PostgresConnection {
    /// Returns when the session `pid` waits for a lock.
    func awaitBlocked(_ pid: Int32, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let sql = "SELECT cardinality(pg_blocking_pids(\(pid))) > 0"
        try await awaitTrue(sql, "session \(pid) never waited for a lock", sourceLocation: sourceLocation)
    }

    /// Returns when `sql` gives true, and fails the test when it does not within a minute.
    func awaitTrue(
        _ sql: String, _ complaint: Comment, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        for _ in 0..<12_000 {
            if try execute(sql).bool(0, 0) == true { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record(complaint, sourceLocation: sourceLocation)
        throw CancellationError()
    }
}

/// The error of the server or of the connection that `body` throws.
func postgresError(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) throws -> PostgresError {
    do {
        try body()
    } catch let error as PostgresError {
        return error
    }
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    throw CancellationError()
}
