import Ledger
import Postgres
import Sharding

/// The ledger of a test's database over one connection. The test is coordinator, worker and observer in turn.
package struct TestLedger {
    package let connection: PostgresConnection
    package let schema: LedgerSchema
    package let installation: LedgerInstallation
    package let coordinator: CoordinatorLedger
    package let worker: WorkerLedger
    package let reader: LedgerReader
    package let cancellation: RunCancellation
    package let control: RunControl

    package init(_ connection: PostgresConnection, schema: LedgerSchema = .standard) {
        self.connection = connection
        self.schema = schema
        let session = LedgerSession(connection, schema: schema)
        installation = LedgerInstallation(session)
        coordinator = CoordinatorLedger(session)
        worker = WorkerLedger(session)
        reader = LedgerReader(session)
        cancellation = RunCancellation(session)
        control = RunControl(session)
    }
}

extension TestDatabase {
    /// Installs a ledger, and returns it over its own connection.
    package func ledger(_ schema: LedgerSchema = .standard) throws -> TestLedger {
        let store = TestLedger(try connect(setup: PostgresSession.ledger), schema: schema)
        try store.installation.install()
        return store
    }
}

extension TestLedger {
    /// Makes a run that `.coordinator` owns.
    package func ownedRun(_ name: String = "job", cutAt boundaries: [String] = []) throws -> Ownership {
        let run = try coordinator.createRun(.sample(name), plan: .cut(at: boundaries))
        let ownership = try coordinator.takeOver(run, as: .coordinator, host: "host", pid: 7)
        try keepAlive(run)
        return ownership
    }

    /// Keeps the run's coordinator alive for longer than a test takes on a busy machine, since no test renews the
    /// ownership.
    package func keepAlive(_ run: RunID) throws {
        try connection.execute(
            "UPDATE \(schema.quoted).run SET lease_until = clock_timestamp() + interval '1 hour' WHERE id = $1::bigint",
            [run.description])
    }

    package func value(_ sql: String) throws -> String? { try connection.execute(sql).text(0, 0) }

    /// The kinds of the run's events in their order, with the shard's number if there is one.
    package func events(of run: RunID) throws -> [String] {
        let result = try connection.execute(
            "SELECT kind || COALESCE(' ' || shard_id, '') FROM \(schema).event WHERE run_id = $1::bigint ORDER BY id",
            [run.description])
        return (0..<result.rows).map { result.text($0, 0) ?? "" }
    }

    /// Ends a shard in this state: done, as after its worker's last batch, or failed.
    package func end(_ shard: Int32, of run: RunID, as state: ShardState) throws {
        try connection.execute(
            "UPDATE \(schema).shard SET state = $3 WHERE run_id = $1::bigint AND id = $2::int",
            [run.description, "\(shard)", state.rawValue])
    }

    /// Makes the ledger believe that the coordinator's session is gone.
    package func forgetSession(of run: RunID) throws {
        try connection.execute(
            "UPDATE \(schema).run SET backend_start = '2000-01-01' WHERE id = $1::bigint", [run.description])
    }

    package func attempts(of run: RunID) throws -> [String] {
        let result = try connection.execute(
            """
            SELECT shard_id || ' ' || epoch || ' ' || COALESCE(outcome, 'open') || ' ' || (ended_at IS NOT NULL)
            FROM \(schema).attempt WHERE run_id = $1::bigint ORDER BY shard_id, epoch
            """, [run.description])
        return (0..<result.rows).map { result.text($0, 0) ?? "" }
    }

    // MARK: - A schema `coord` of somebody else's

    /// Makes foreign tables with the names of the ledger's tables. A statement that goes to the wrong schema changes
    /// them or fails.
    package func occupyStandard() throws {
        try connection.execute("CREATE SCHEMA coord")
        for table in ["run", "shard", "attempt", "event", "worker"] {
            try connection.execute("CREATE TABLE coord.\(table) (points int)")
            try connection.execute("INSERT INTO coord.\(table) VALUES (7)")
        }
    }

    package func standardIsUntouched() throws -> Bool {
        try value(
            """
            SELECT string_agg(points::text, '' ORDER BY points) FROM (
                SELECT points FROM coord.run UNION ALL SELECT points FROM coord.shard UNION ALL
                SELECT points FROM coord.attempt UNION ALL SELECT points FROM coord.event UNION ALL
                SELECT points FROM coord.worker) AS t
            """) == "77777"
    }
}
