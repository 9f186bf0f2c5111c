import Job
import Ledger
import Postgres
import Sharding

/// The coordinator's one connection to the ledger, on a thread of its own.
actor LedgerService {
    private let executor = ThreadExecutor(name: "ledger")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let settings: PostgresConnection.Settings
    private var connection: PostgresConnection?

    init(settings: PostgresConnection.Settings) { self.settings = settings }

    /// Runs `body` on the connection, which is made when there is none. A broken one is dropped, so that the next call
    /// connects anew.
    func with<R: Sendable>(_ body: @Sendable (LedgerStore) throws -> R) throws -> R {
        let store = LedgerStore(try connected())
        do {
            return try body(store)
        } catch let error as PostgresError {
            if error.recovery == .reconnect || connection?.isAlive != true { connection = nil }
            throw error
        }
    }

    private func connected() throws -> PostgresConnection {
        if let connection, connection.isAlive { return connection }
        connection = nil
        let fresh = try PostgresConnection(settings)
        connection = fresh
        return fresh
    }
}

extension PostgresConnection.Settings {
    /// For the ledger's own statements.
    public static func ledger(_ conninfo: String?) -> Self {
        Self(conninfo: conninfo, applicationName: "coord ledger", setup: PostgresSession.ledger)
    }

    /// For a worker's batches.
    public static func batches(_ conninfo: String?) -> Self {
        Self(conninfo: conninfo, applicationName: "coord worker", setup: PostgresSession.batches)
    }
}
