import Postgres
import Sharding

extension RunControl {
    struct LockDesire: LedgerQuery {
        static let name = "coord_lock_desire"

        struct Found {
            var state: RunState
            var desire: Desire
            var pausedBy: String?
        }

        static func sql(_ ledger: String) -> String {
            """
            SELECT state, desired, \(Desire.pausedBy) FROM \(ledger).run WHERE id = $1::bigint FOR NO KEY UPDATE
            """
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Found {
            let state: LedgerColumn<RunState> = try columns("state")
            let desire: LedgerColumn<Desire> = try columns("desired")
            let pausedBy: LedgerColumn<String> = try columns("paused_by")
            return { row in
                Found(state: try row[state], desire: try row[desire], pausedBy: try row.optional(pausedBy))
            }
        }
    }

    struct AskPause: LedgerQuery {
        static let name = "coord_ask_pause"

        static func sql(_ ledger: String) -> String {
            """
            UPDATE \(ledger).run SET desired = 'paused', desired_by = session_user || ' on ' || $2
            WHERE id = $1::bigint RETURNING desired_by
            """
        }

        var run: RunID
        var host: String
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description, host]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> String {
            let who: LedgerColumn<String> = try columns("desired_by")
            return { row in try row[who] }
        }
    }

    /// Pauses a run that has no coordinator. The term grows, so that one that comes back does not go on.
    struct PauseNow: LedgerStatement {
        static let name = "coord_pause_now"

        static func sql(_ ledger: String) -> String {
            """
            UPDATE \(ledger).run SET state = 'paused', coordinator = NULL, lease_until = NULL, term = term + 1,
                rows_per_second = 0, finished_at = NULL
            WHERE id = $1::bigint
            """
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }
    }
}
