import Host
import Job
import Ledger
import Postgres
import Sharding

/// The coordinator's one connection to the ledger, on a thread of its own.
actor LedgerService {
    private let executor = ThreadExecutor(name: "ledger")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let settings: PostgresConnection.Settings
    nonisolated let schema: LedgerSchema
    private var connection: PostgresConnection?
    /// The ledger's place at the last connection; nil before the first one.
    private var place: DatabasePlace?
    /// The highest epoch of each shard on this connection. After a reconnect the server may be another one, at which a
    /// failover has lost commits. Then that server's epochs count.
    private var epochs: [ShardID: Epoch] = [:]

    init(settings: PostgresConnection.Settings, schema: LedgerSchema) {
        self.settings = settings
        self.schema = schema
    }

    /// Runs `body` on the connection, and connects first if there is none. A broken connection is dropped, so that the
    /// next call connects anew.
    func onSession<R: Sendable>(_ body: @Sendable (LedgerSession) throws -> R) throws -> R {
        let session = LedgerSession(try connected(), schema: schema)
        do {
            return try body(session)
        } catch let error as PostgresError {
            if error.recovery == .reconnect || connection?.isAlive != true { connection = nil }
            throw error
        }
    }

    /// Runs `body` as `onSession` does, as the coordinator of a run.
    func with<R: Sendable>(_ body: @Sendable (CoordinatorLedger) throws -> R) throws -> R {
        try onSession { try body(CoordinatorLedger($0)) }
    }

    /// Runs `body` as `onSession` does, with the role that only reads.
    func reading<R: Sendable>(_ body: @Sendable (LedgerReader) throws -> R) throws -> R {
        try onSession { try body(LedgerReader($0)) }
    }

    private func connected() throws -> PostgresConnection {
        if let connection, connection.isAlive { return connection }
        connection = nil
        let fresh = try PostgresConnection(settings)
        let here = try DatabasePlace.read(fresh)
        // After a reconnect an address may lead to another server. That heals, as an outage does.
        if let place, let fault = here.fault(expected: place) {
            throw PostgresError(sqlState: nil, message: "\(fault): nothing is written there")
        }
        place = here
        connection = fresh
        epochs = [:]
        return fresh
    }
}

// Reads that do not let an epoch go back (I3).
extension LedgerService {
    /// All shards of the run.
    /// - Throws: `LedgerError` with code `damaged`.
    func shards(of run: RunID) throws -> [ShardRecord] {
        let records = try with { try $0.load(run) }
        for record in records { try see(record.epoch, of: record.id, run) }
        return records
    }

    /// The shard's row.
    /// - Throws: `LedgerError` with code `damaged`.
    func shard(_ shard: ShardID, of run: RunID) throws -> ShardRecord {
        let record = try with { try $0.require(shard, of: run) }
        try see(record.epoch, of: shard, run)
        return record
    }

    /// Leases the shard; nil if the ledger refuses.
    func lease(_ shard: ShardID, to worker: WorkerID, after epoch: Epoch, _ ownership: Ownership) throws
        -> (lease: Lease, sequence: Int64)?
    {
        let leased = try with { try $0.lease(shard, to: worker, after: epoch, ownership) }
        if let leased { try see(leased.lease.epoch, of: shard, ownership.run) }
        return leased
    }

    private func see(_ epoch: Epoch, of shard: ShardID, _ run: RunID) throws {
        if let highest = epochs[shard], epoch < highest {
            throw LedgerError.epochWentBack(run, shard, from: highest, to: epoch)
        }
        epochs[shard] = epoch
    }
}

extension PostgresConnection.Settings {
    /// Settings for the ledger's own statements, whose names are looked up only in `pg_catalog`.
    public static func ledger(_ conninfo: String?) -> Self {
        Self(conninfo: conninfo, applicationName: "coord ledger", setup: PostgresSession.ledger + SearchPath.setup)
    }

    /// Settings for a worker's batches. Their names are looked up in the run's path, once it is known.
    public static func batches(_ conninfo: String?) -> Self {
        Self(conninfo: conninfo, applicationName: "coord worker", setup: PostgresSession.batches + SearchPath.setup)
    }
}
