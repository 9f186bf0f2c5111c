import Postgres
import Sharding

extension CoordinatorLedger {
    struct GiveLease: LedgerQuery {
        static let name = "coord_lease"
        static let isPrepared = true

        static func sql(_ ledger: String) -> String {
            """
            WITH coordinator AS MATERIALIZED (
                SELECT 1 FROM \(ledger).run
                WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint AND state = 'running'
                    AND desired <> 'cancelled' FOR SHARE
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
            """
        }

        var ownership: Ownership
        var shard: ShardID
        var worker: WorkerID
        /// The shard's epoch as the coordinator knows it.
        var epoch: Epoch
        var subject: RunID? { ownership.run }

        var parameters: PostgresParameters {
            PostgresParameters(ownership.parameters + [shard.description, worker.rawValue, epoch.description])
        }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> (lease: Lease, sequence: Int64) {
            let epoch: LedgerColumn<Epoch> = try columns("epoch")
            let sequence: LedgerColumn<Int64> = try columns("sequence")
            return { row in (Lease(shard: shard, epoch: try row[epoch]), try row[sequence]) }
        }
    }

    struct TerminateHolder: LedgerStatement {
        static let name = "coord_terminate_holder"

        static func sql(_ ledger: String) -> String {
            """
            SELECT pg_terminate_backend(a.pid) FROM \(ledger).shard AS s JOIN pg_stat_activity AS a
                ON a.pid = s.backend_pid AND a.backend_start = s.backend_start
            WHERE s.run_id = $1::bigint AND s.id = $2::int
            """
        }

        var run: RunID
        var shard: ShardID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description, shard.description]) }
    }

    struct RecordAttempt: LedgerQuery {
        static let name = "coord_record_attempt"
        static let isPrepared = true

        static func sql(_ ledger: String) -> String {
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
            """
        }

        var ownership: Ownership
        var lease: Lease
        var worker: WorkerID
        var outcome: String
        var error: String?
        var isPermanent: Bool
        var attempts: Int
        var subject: RunID? { ownership.run }

        var parameters: PostgresParameters {
            PostgresParameters(
                ownership.parameters + [
                    lease.shard.description, lease.epoch.description, worker.rawValue, outcome, error,
                    isPermanent ? "t" : "f", "\(attempts)",
                ])
        }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> (state: ShardState, failures: Int) {
            let state: LedgerColumn<ShardState> = try columns("state")
            let failures: LedgerColumn<Int> = try columns("failures")
            return { row in (try row[state], try row[failures]) }
        }
    }

    struct ReadKeySpace: LedgerQuery {
        static let name = "coord_key_space"

        static func sql(_ ledger: String) -> String {
            "SELECT end_key, shards FROM \(ledger).run WHERE id = $1::bigint"
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> (end: Key?, planned: Int64?) {
            let end: LedgerColumn<Key> = try columns("end_key")
            let shards: LedgerColumn<Int64> = try columns("shards")
            return { row in (try row.optional(end), try row.optional(shards)) }
        }
    }

    struct ReadPieces: LedgerQuery {
        static let name = "coord_pieces"

        static func sql(_ ledger: String) -> String {
            "SELECT id, \(RangeColumns.list) FROM \(ledger).shard WHERE run_id = $1::bigint ORDER BY id"
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> ShardTiling.Piece {
            let id: LedgerColumn<ShardID> = try columns("id")
            let range = try RangeColumns(columns)
            return { row in ShardTiling.Piece(shard: try row[id], range: try range.range(row)) }
        }
    }
}
