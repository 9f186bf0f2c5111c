import Postgres
public import Sharding

extension LedgerStore {
    private static let shardColumns = """
        s.id, s.state, s.epoch, s.owner, s.failures, s.sequence, s.rows_done, s.rows_estimated, s.error,
        s.after_key, s.through_key, s.checkpoint
        """

    /// Limit of an error text in the ledger, in characters.
    public static let errorLimit = 2000

    /// A shard with its range, for people.
    public struct ShardDetail: Sendable, Equatable {
        public var record: ShardRecord
        public var range: KeyRange
        public var checkpoint: Key?
    }

    public func shards(of run: RunID) throws -> [ShardDetail] {
        let result = try connection.execute(
            "SELECT \(Self.shardColumns) FROM \(ledger).shard AS s WHERE s.run_id = $1::bigint ORDER BY s.id",
            [run.description])
        return (0..<result.rows).map { Self.detail(result, $0) }
    }

    public func shard(_ id: ShardID, of run: RunID) throws -> ShardRecord? {
        let result = try connection.execute(
            "SELECT \(Self.shardColumns) FROM \(ledger).shard AS s WHERE s.run_id = $1::bigint AND s.id = $2::int",
            [run.description, id.description])
        return result.rows == 1 ? Self.detail(result, 0).record : nil
    }

    private static func detail(_ result: PostgresResult, _ row: Int) -> ShardDetail {
        func key(_ column: Int) -> Key? { Key(literal: result.text(row, column)) }
        let record = ShardRecord(
            id: ShardID(Int32(result.int(row, 0) ?? 0)),
            state: ShardState(rawValue: result.text(row, 1) ?? "")
                ?? .failed,
            epoch: Epoch(result.int(row, 2) ?? 0), owner: result.text(row, 3).map { WorkerID($0) },
            failures: Int(result.int(row, 4) ?? 0), sequence: result.int(row, 5) ?? 0,
            rowsDone: result.int(row, 6) ?? 0, rowsEstimated: result.int(row, 7) ?? 0, error: result.text(row, 8))
        return ShardDetail(
            record: record, range: KeyRange(after: key(9), through: key(10)), checkpoint: key(11))
    }

    // MARK: - Leases, by the coordinator

    /// Raises the epoch and makes `worker` the owner, where the epoch still is `after` and the coordinator's term
    /// stands. Nil where not, nor once the run is to be cancelled.
    ///
    /// The run's row is locked in share mode, so that no coordinator can take over between the check and the commit.
    public func lease(_ shard: ShardID, to worker: WorkerID, after epoch: Epoch, _ ownership: Ownership) throws
        -> (lease: Lease, sequence: Int64)?
    {
        let result = try connection.executePrepared(
            "coord_lease",
            """
            WITH coordinator AS MATERIALIZED (
                SELECT 1 FROM \(ledger).run
                WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint AND state = 'running'
                    AND desired = 'running' FOR SHARE
            ), leased AS (
                UPDATE \(ledger).shard SET epoch = epoch + 1, owner = $5::uuid, state = 'running',
                    lease_sequence = sequence
                FROM coordinator
                WHERE run_id = $1::bigint AND id = $4::int AND epoch = $6::bigint AND state IN ('pending', 'running')
                RETURNING epoch, sequence
            ), superseded AS (
                UPDATE \(ledger).attempt SET ended_at = clock_timestamp(), outcome = 'superseded' FROM leased
                WHERE run_id = $1::bigint AND shard_id = $4::int AND attempt.epoch < leased.epoch AND ended_at IS NULL
            ), attempted AS (
                INSERT INTO \(ledger).attempt (run_id, shard_id, epoch, worker)
                SELECT $1::bigint, $4::int, epoch, $5::uuid FROM leased
            )
            SELECT epoch, sequence FROM leased
            """,
            PostgresParameters(
                ownership.parameters + [shard.description, worker.rawValue, epoch.description]))
        guard result.rows == 1, let raised = result.int(0, 0), let sequence = result.int(0, 1) else { return nil }
        return (Lease(shard: shard, epoch: Epoch(raised)), sequence)
    }

    /// Ends the server session of the shard's last worker: it may hold the row's lock in a statement that is stuck.
    public func terminateHolder(of shard: ShardID, run: RunID) throws {
        try connection.execute(
            """
            SELECT pg_terminate_backend(a.pid) FROM \(ledger).shard AS s JOIN pg_stat_activity AS a
                ON a.pid = s.backend_pid AND a.backend_start = s.backend_start
            WHERE s.run_id = $1::bigint AND s.id = $2::int
            """, [run.description, shard.description])
    }

    /// Closes an attempt that did not finish its shard, and decides whether the shard may be tried again.
    ///
    /// Failures count only while no batch is committed between them: a long shard whose workers die now and then
    /// still advances.
    /// - Parameter attempts: failures in a row after which the shard has failed; 0 when this end is not a failure.
    /// - Returns: nil where the lease is not the shard's any more.
    public func recordAttempt(
        _ lease: Lease, worker: WorkerID, outcome: String, error: String?, permanent: Bool, attempts: Int,
        _ ownership: Ownership
    ) throws -> (state: ShardState, failures: Int)? {
        let result = try connection.executePrepared(
            "coord_record_attempt",
            """
            WITH coordinator AS MATERIALIZED (
                SELECT 1 FROM \(ledger).run
                WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint AND state = 'running' FOR SHARE
            ), ended AS (
                UPDATE \(ledger).shard SET
                    failures = CASE WHEN $10::int = 0 THEN failures WHEN sequence > lease_sequence THEN 1
                        ELSE failures + 1 END,
                    state = CASE WHEN $10::int = 0 THEN 'pending' WHEN $9::boolean THEN 'failed'
                        WHEN sequence > lease_sequence AND $10::int > 1 THEN 'pending'
                        WHEN sequence = lease_sequence AND failures + 1 < $10::int THEN 'pending' ELSE 'failed' END,
                    error = COALESCE($8, error), owner = NULL
                FROM coordinator
                WHERE run_id = $1::bigint AND id = $4::int AND epoch = $5::bigint AND owner = $6::uuid
                    AND state = 'running'
                RETURNING state, failures
            ), closed AS (
                UPDATE \(ledger).attempt SET ended_at = clock_timestamp(), outcome = $7, error = $8 FROM ended
                WHERE run_id = $1::bigint AND shard_id = $4::int AND epoch = $5::bigint
            )
            SELECT state, failures FROM ended
            """,
            PostgresParameters(
                ownership.parameters + [
                    lease.shard.description, lease.epoch.description, worker.rawValue, outcome,
                    error.map { String($0.prefix(Self.errorLimit)) }, permanent ? "t" : "f", "\(attempts)",
                ]))
        guard result.rows == 1, let state = ShardState(rawValue: result.text(0, 0) ?? "") else { return nil }
        return (state, attempts == 0 ? 0 : Int(result.int(0, 1) ?? 0))
    }

    // MARK: - Leases, by the worker

    /// Names this session, and looks whether a coordinator owns the run here: on a copy of the database, none does.
    public func enter(_ run: RunID, applicationName: String) throws -> Bool {
        try connection.executePrepared(
            "coord_enter",
            """
            SELECT pg_catalog.set_config('application_name', $2, false), COALESCE((SELECT \(Self.ownerIsAlive)
                FROM \(ledger).run AS r WHERE r.id OPERATOR(pg_catalog.=) $1::pg_catalog.int8), false)
            """, PostgresParameters([run.description, applicationName])
        ).bool(0, 1) ?? false
    }

    /// Where a leased shard stands, and its range.
    public struct Opening: Sendable, Equatable {
        public var range: KeyRange
        public var position: Position
    }

    /// Enters this session in the shard's row and reads its position. Nil where the lease is not the shard's any more.
    ///
    /// - Parameter keyColumns: of how many columns the run's keys are.
    public func open(_ lease: Lease, owner: WorkerID, run: RunID, keyColumns: Int) throws -> Opening? {
        let result = try connection.executePrepared(
            "coord_open",
            """
            UPDATE \(ledger).shard SET backend_pid = pg_catalog.pg_backend_pid(), backend_start =
                (SELECT backend_start FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid())
            WHERE run_id = $1::bigint AND id = $2::int AND epoch = $3::bigint AND owner = $4::uuid
                AND state = 'running'
            RETURNING after_key, through_key, checkpoint, sequence, rows_done, deferred
            """,
            PostgresParameters([
                run.description, lease.shard.description, lease.epoch.description, owner.rawValue,
            ]))
        guard result.rows == 1 else { return nil }
        return Opening(
            range: KeyRange(after: Key(literal: result.text(0, 0)), through: Key(literal: result.text(0, 1))),
            position: Position(
                checkpoint: Key(literal: result.text(0, 2)),
                deferred: Key.list(result.text(0, 5), columns: keyColumns),
                sequence: result.int(0, 3) ?? 0, rowsDone: result.int(0, 4) ?? 0))
    }
}
