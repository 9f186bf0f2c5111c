import Postgres
import Sharding

extension RunControl {
    struct LockDesire: LedgerQuery {
        static let name = "coord_lock_desire"

        struct Found {
            var state: RunState
            var desire: Desire
            var pausedBy: String?
            var pace: Pace?
        }

        static func sql(_ ledger: String) -> String {
            """
            SELECT state, desired, \(Desire.pausedBy), \(PaceColumns.list)
            FROM \(ledger).run WHERE id = $1::bigint FOR NO KEY UPDATE
            """
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Found {
            let state: LedgerColumn<RunState> = try columns("state")
            let desire: LedgerColumn<Desire> = try columns("desired")
            let pausedBy: LedgerColumn<String> = try columns("paused_by")
            let pace = try PaceColumns(columns)
            return { row in
                Found(
                    state: try row[state], desire: try row[desire], pausedBy: try row.optional(pausedBy),
                    pace: try pace.pace(row))
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

    /// Sets the limits of the run's pace. The time counts from now on; without one, the present end stays.
    struct SetPace: LedgerQuery {
        static let name = "coord_set_pace"

        static func sql(_ ledger: String) -> String {
            """
            UPDATE \(ledger).run SET pace_writers = $2::int, pace_rows = $3::bigint,
                pace_until = CASE
                    WHEN $2::int IS NULL AND $3::bigint IS NULL OR $5::boolean THEN NULL
                    WHEN $4::double precision IS NOT NULL THEN clock_timestamp() + make_interval(secs => $4::double precision)
                    ELSE pace_until END,
                pace_by = CASE WHEN $2::int IS NOT NULL OR $3::bigint IS NOT NULL
                    THEN session_user || ' on ' || $6 END
            WHERE id = $1::bigint RETURNING \(PaceColumns.list)
            """
        }

        var run: RunID
        var writers: String?
        var rows: String?
        var seconds: PaceChange.Limit?
        /// Whether limits held before, whose end stays where no other is said.
        var keepsEnd: Bool
        var host: String
        var subject: RunID? { run }

        var parameters: PostgresParameters {
            PostgresParameters([
                run.description, writers, rows, seconds.after(nil),
                seconds == .lifted || seconds == nil && !keepsEnd ? "t" : "f", host,
            ])
        }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Pace? {
            let pace = try PaceColumns(columns)
            return { row in try pace.pace(row) }
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
