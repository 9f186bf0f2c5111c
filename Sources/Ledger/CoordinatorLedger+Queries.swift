import Postgres
import Sharding

// The ownership of a run, and the end of a run.
extension CoordinatorLedger {
    /// Returns no row if another coordinator is alive or the run is over.
    struct TakeOver: LedgerQuery {
        static let name = "coord_take_over"

        static func sql(_ ledger: String) -> String {
            """
            UPDATE \(ledger).run AS r SET term = term + 1, coordinator = $2::uuid, coordinator_host = $3,
                coordinator_pid = $4::int, backend_pid = pg_backend_pid(),
                backend_start = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()),
                lease_until = clock_timestamp() + make_interval(secs => \(ownershipSeconds)), state = 'running',
                started_at = COALESCE(started_at, clock_timestamp()), finished_at = NULL,
                definition = COALESCE($5, definition), directory = COALESCE($6, directory), desired = 'running',
                desired_by = NULL
            WHERE id = $1::bigint AND NOT \(OwnerColumns.isAlive)
                AND state NOT IN ('complete', 'cancelled') AND (desired = 'running' OR desired = 'paused' AND $7::boolean)
            RETURNING term
            """
        }

        var run: RunID
        var coordinator: WorkerID
        var host: String
        var pid: Int32
        var text: String?
        var directory: String?
        var endsPause: Bool
        var subject: RunID? { run }

        var parameters: PostgresParameters {
            PostgresParameters([
                run.description, coordinator.rawValue, host, "\(pid)", text, directory, endsPause ? "t" : "f",
            ])
        }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Int64 {
            let term: LedgerColumn<Int64> = try columns("term")
            return { row in try row[term] }
        }
    }

    struct ReviveFailedShards: LedgerStatement {
        static let name = "coord_revive_failed_shards"

        static func sql(_ ledger: String) -> String {
            """
            UPDATE \(ledger).shard SET state = 'pending', failures = 0, owner = NULL
            WHERE run_id = $1::bigint AND state = 'failed'
            """
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }
    }

    struct Renew: LedgerQuery {
        static let name = "coord_renew"

        static func sql(_ ledger: String) -> String {
            """
            UPDATE \(ledger).run SET lease_until = clock_timestamp() + make_interval(secs => \(ownershipSeconds)),
                rows_per_second = $4::double precision, backend_pid = pg_backend_pid(), backend_start =
                    (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())
            WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint AND state = 'running'
            RETURNING desired = 'cancelled' AS cancel_asked, \(Desire.pausedBy), \(PaceColumns.list)
            """
        }

        var ownership: Ownership
        var rowsPerSecond: Double
        var subject: RunID? { ownership.run }
        var parameters: PostgresParameters { PostgresParameters(ownership.parameters + ["\(rowsPerSecond)"]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Renewal {
            let cancelAsked: LedgerColumn<Bool> = try columns("cancel_asked")
            let pausedBy: LedgerColumn<String> = try columns("paused_by")
            let pace = try PaceColumns(columns)
            return { row in
                Renewal(
                    cancelAsked: try row[cancelAsked], pausedBy: try row.optional(pausedBy), pace: try pace.pace(row))
            }
        }
    }

    struct ReadStanding: LedgerQuery {
        static let name = "coord_standing"

        struct Found {
            var state: RunState
            var term: Int64
            var coordinator: WorkerID?
            var counts: ShardCounts
            var pausedBy: String?
        }

        static func sql(_ ledger: String) -> String {
            """
            SELECT r.state, r.term, r.coordinator, s.pending, s.running, s.done, s.failed, \(Desire.pausedBy)
            FROM \(ledger).run AS r CROSS JOIN LATERAL (
                SELECT \(ShardCountColumns.counted) FROM \(ledger).shard WHERE run_id = r.id) AS s
            WHERE r.id = $1::bigint
            """
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Found {
            let state: LedgerColumn<RunState> = try columns("state")
            let term: LedgerColumn<Int64> = try columns("term")
            let coordinator: LedgerColumn<WorkerID> = try columns("coordinator")
            let counts = try ShardCountColumns(columns)
            let pausedBy: LedgerColumn<String> = try columns("paused_by")
            return { row in
                Found(
                    state: try row[state], term: try row[term], coordinator: try row.optional(coordinator),
                    counts: try counts.counts(row), pausedBy: try row.optional(pausedBy))
            }
        }
    }

    struct Release: LedgerQuery {
        static let name = "coord_release"

        static func sql(_ ledger: String) -> String {
            """
            UPDATE \(ledger).run SET state = CASE WHEN desired = 'cancelled' THEN 'cancelled' ELSE $4 END,
                coordinator = NULL, lease_until = NULL, rows_per_second = 0, finished_at =
                    CASE WHEN desired = 'cancelled' OR $4 = 'cancelled' THEN clock_timestamp() END
            WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint AND state = 'running'
            RETURNING state
            """
        }

        var ownership: Ownership
        var state: RunState
        var subject: RunID? { ownership.run }
        var parameters: PostgresParameters { PostgresParameters(ownership.parameters + [state.rawValue]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> RunState {
            let state: LedgerColumn<RunState> = try columns("state")
            return { row in try row[state] }
        }
    }

    /// Locks the run's row, if this coordinator still owns the run.
    struct LockOwned: LedgerQuery {
        static let name = "coord_lock_owned"

        static func sql(_ ledger: String) -> String {
            """
            SELECT id FROM \(ledger).run
            WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint AND state = 'running'
            FOR NO KEY UPDATE
            """
        }

        var ownership: Ownership
        var subject: RunID? { ownership.run }
        var parameters: PostgresParameters { PostgresParameters(ownership.parameters) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> RunID {
            let id: LedgerColumn<RunID> = try columns("id")
            return { row in try row[id] }
        }
    }

    /// Counts the shards, and ends the run if none is open. Needs the lock on the run's row.
    struct Conclude: LedgerQuery {
        static let name = "coord_conclude"

        static func sql(_ ledger: String) -> String {
            """
            WITH counted AS (
                SELECT \(ShardCountColumns.counted) FROM \(ledger).shard WHERE run_id = $1::bigint
            ), concluded AS (
                UPDATE \(ledger).run SET state = CASE WHEN failed = 0 THEN 'complete' WHEN done > 0 THEN 'partial'
                    ELSE 'failed' END, coordinator = NULL, lease_until = NULL, finished_at = clock_timestamp()
                FROM counted
                WHERE id = $1::bigint AND pending + running = 0 AND done + failed = $2::bigint
                RETURNING id
            )
            SELECT pending, running, done, failed, EXISTS (SELECT FROM concluded) AS is_concluded FROM counted
            """
        }

        var run: RunID
        /// The number of shards that were found to tile the key space.
        var shards: Int
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description, "\(shards)"]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> (ShardCounts, isConcluded: Bool) {
            let counts = try ShardCountColumns(columns)
            let isConcluded: LedgerColumn<Bool> = try columns("is_concluded")
            return { row in (try counts.counts(row), try row[isConcluded]) }
        }
    }
}
