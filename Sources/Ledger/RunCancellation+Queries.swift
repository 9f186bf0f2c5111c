import Postgres
import Sharding

extension RunCancellation {
    struct LockRun: LedgerQuery {
        static let name = "coord_lock_run"

        static func sql(_ ledger: String) -> String {
            "SELECT state, term FROM \(ledger).run WHERE id = $1::bigint FOR NO KEY UPDATE"
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }

        /// The state as an unchecked text, since a damaged run can be cancelled too.
        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> (state: String, term: Int64) {
            let state: LedgerColumn<String> = try columns("state")
            let term: LedgerColumn<Int64> = try columns("term")
            return { row in (try row[state], try row[term]) }
        }
    }

    struct ReadOwner: LedgerQuery {
        static let name = "coord_owner"

        static func sql(_ ledger: String) -> String {
            "SELECT \(OwnerColumns.list) FROM \(ledger).run AS r WHERE r.id = $1::bigint"
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> String? {
            try OwnerColumns(columns).owner
        }
    }

    struct EndRun: LedgerStatement {
        static let name = "coord_end_run"

        static func sql(_ ledger: String) -> String {
            """
            UPDATE \(ledger).run SET state = 'cancelled', desired = 'cancelled', coordinator = NULL, lease_until = NULL,
                term = term + 1, rows_per_second = 0, finished_at = clock_timestamp()
            WHERE id = $1::bigint
            """
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }
    }

    struct TakeBackLeases: LedgerStatement {
        static let name = "coord_take_back_leases"

        static func sql(_ ledger: String) -> String {
            """
            WITH taken AS (
                UPDATE \(ledger).shard SET epoch = epoch + 1, owner = NULL, state = 'pending'
                WHERE run_id = $1::bigint AND state = 'running' RETURNING id
            )
            UPDATE \(ledger).attempt SET ended_at = clock_timestamp(), outcome = 'superseded' FROM taken
            WHERE run_id = $1::bigint AND shard_id = taken.id AND ended_at IS NULL
            """
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }
    }

    struct TerminateSession: LedgerStatement {
        static let name = "coord_terminate_session"

        static func sql(_: String) -> String {
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE pid = $1::int AND COALESCE(backend_start = $2::timestamptz, true)
            """
        }

        var holder: LockHolder
        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters {
            PostgresParameters([holder.pid.map { "\($0)" }, holder.backendStart])
        }
    }

    struct CountSessions: LedgerQuery {
        static let name = "coord_count_sessions"

        static func sql(_: String) -> String {
            "SELECT count(*) AS sessions FROM pg_stat_activity WHERE pid = ANY ($1::int[])"
        }

        var pids: [Int32]
        var parameters: PostgresParameters { PostgresParameters([PostgresArray.write(pids.map { "\($0)" })]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Int {
            let sessions: LedgerColumn<Int> = try columns("sessions")
            return { row in try row[sessions] }
        }
    }

    struct Pause: LedgerStatement {
        static let name = "coord_pause"
        static func sql(_: String) -> String { "SELECT pg_sleep($1::double precision)" }

        var seconds: Double
        var parameters: PostgresParameters { PostgresParameters(["\(seconds)"]) }
    }

    struct ReadLockHolders: LedgerQuery {
        static let name = "coord_lock_holders"

        static func sql(_ ledger: String) -> String {
            """
            WITH free AS MATERIALIZED (
                SELECT id FROM \(ledger).shard WHERE run_id = $1::bigint AND state = 'running'
                FOR NO KEY UPDATE SKIP LOCKED
            ), free_run AS MATERIALIZED (
                SELECT id FROM \(ledger).run WHERE id = $1::bigint FOR NO KEY UPDATE SKIP LOCKED
            ), held AS (
                SELECT s.id, s.xmax::text AS xid, s.backend_pid, s.backend_start FROM \(ledger).shard AS s
                WHERE s.run_id = $1::bigint AND s.state = 'running' AND s.id NOT IN (SELECT free.id FROM free)
                UNION ALL
                SELECT NULL, r.xmax::text, NULL, NULL FROM \(ledger).run AS r
                WHERE r.id = $1::bigint AND r.id NOT IN (SELECT free_run.id FROM free_run)
            ), holder AS (
                SELECT held.id, COALESCE(
                    (SELECT l.pid FROM pg_locks AS l WHERE l.locktype = 'transactionid' AND l.granted
                        AND l.mode = 'ExclusiveLock' AND l.transactionid::text = held.xid LIMIT 1),
                    (SELECT a.pid FROM pg_stat_activity AS a WHERE a.pid = held.backend_pid
                        AND COALESCE(a.backend_start = held.backend_start, true))) AS pid
                FROM held
            )
            SELECT h.pid, a.usename AS role, a.application_name AS application,
                COALESCE(a.client_hostname, host(a.client_addr)) AS address, a.state,
                floor(extract(epoch FROM clock_timestamp() - a.xact_start))::bigint AS seconds, a.backend_start,
                COALESCE(array_agg(h.id ORDER BY h.id) FILTER (WHERE h.id IS NOT NULL), '{}') AS shards,
                bool_or(h.id IS NULL) AS holds_run
            FROM holder AS h LEFT JOIN pg_stat_activity AS a ON a.pid = h.pid
            WHERE h.pid IS DISTINCT FROM pg_backend_pid()
                AND COALESCE(a.xact_start <= clock_timestamp() - make_interval(secs => $2::float8), true)
            GROUP BY h.pid, a.usename, a.application_name, a.client_hostname, a.client_addr, a.state, a.xact_start,
                a.backend_start
            ORDER BY h.pid
            """
        }

        var run: RunID
        var seconds: Int
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description, "\(seconds)"]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> LockHolder {
            let pid: LedgerColumn<Int32> = try columns("pid")
            let role: LedgerColumn<String> = try columns("role")
            let application: LedgerColumn<String> = try columns("application")
            let address: LedgerColumn<String> = try columns("address")
            let state: LedgerColumn<String> = try columns("state")
            let seconds: LedgerColumn<Int64> = try columns("seconds")
            let backendStart: LedgerColumn<String> = try columns("backend_start")
            let shards: LedgerColumn<[ShardID]> = try columns("shards")
            let holdsRun: LedgerColumn<Bool> = try columns("holds_run")
            return { row in
                LockHolder(
                    pid: try row.optional(pid), user: try row.optional(role),
                    application: try row.optional(application), address: try row.optional(address),
                    state: try row.optional(state), seconds: try row.optional(seconds), shards: try row[shards],
                    holdsRun: try row[holdsRun], backendStart: try row.optional(backendStart))
            }
        }
    }
}
