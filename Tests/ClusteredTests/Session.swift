import Postgres

/// A test's own connection, on a thread of its own, so that waiting for a lock holds up no other test.
actor Session {
    private let executor = ThreadExecutor(name: "test session")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let settings: PostgresConnection.Settings
    private var connection: PostgresConnection?

    init(_ settings: PostgresConnection.Settings) { self.settings = settings }

    /// Runs statements one after another, and gives the rows of the last one.
    @discardableResult
    func execute(_ statements: String...) throws -> [[String?]] { try execute(all: statements) }

    @discardableResult
    func execute(all statements: [String]) throws -> [[String?]] {
        var rows: [[String?]] = []
        for statement in statements { rows = try rowsOf(statement) }
        return rows
    }

    private func rowsOf(_ statement: String) throws -> [[String?]] {
        let connection = try connected()
        do {
            let result = try connection.execute(statement)
            return (0..<result.rows).map { row in (0..<result.columns).map { result.text(row, $0) } }
        } catch {
            // A test has restarted the server: the next statement gets a new connection.
            if !connection.isAlive { self.connection = nil }
            throw error
        }
    }

    /// The first value of the first row.
    func text(_ query: String) throws -> String? { try execute(query).first?.first ?? nil }

    func int(_ query: String) throws -> Int {
        guard let text = try text(query), let number = Int(text) else { throw NotANumber(query: query) }
        return number
    }

    func bool(_ query: String) throws -> Bool { try text(query) == "t" }

    func close() { connection = nil }

    struct NotANumber: Error { var query: String }

    private func connected() throws -> PostgresConnection {
        if let connection, connection.isAlive { return connection }
        connection = nil
        let fresh = try PostgresConnection(settings)
        connection = fresh
        return fresh
    }
}
