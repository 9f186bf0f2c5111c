import Postgres
import Sharding

extension CoordinatorLedger {
    struct NoteWorkers: LedgerStatement {
        static let name = "coord_note_workers"

        static func sql(_ ledger: String) -> String {
            """
            INSERT INTO \(ledger).worker
                (run_id, id, host, pid, shard_id, rows_done, rows_per_second, rss_bytes, peak_rss_bytes, activity)
            SELECT $1::bigint, w.id::uuid, w.host, w.pid::int, w.shard::int, w.rows::bigint, w.rate::double precision,
                w.rss::bigint, w.peak::bigint, w.activity
            FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
                $10::text[]) AS w(id, host, pid, shard, rows, rate, rss, peak, activity)
            ON CONFLICT (run_id, id) DO UPDATE SET shard_id = excluded.shard_id, rows_done = excluded.rows_done,
                rows_per_second = excluded.rows_per_second, rss_bytes = excluded.rss_bytes,
                peak_rss_bytes = excluded.peak_rss_bytes, activity = excluded.activity, seen_at = now(), left_at = NULL
            """
        }

        var run: RunID
        var workers: [WorkerRecord]
        var subject: RunID? { run }

        var parameters: PostgresParameters {
            var parameters = PostgresParameters([run.description])
            let columns: [(WorkerRecord) -> String?] = [
                { $0.id.rawValue }, { $0.host }, { "\($0.pid)" }, { $0.shard?.description }, { "\($0.rowsDone)" },
                { "\($0.rowsPerSecond)" }, { "\($0.rssBytes)" }, { "\($0.peakRSSBytes)" },
                { $0.activity },
            ]
            for column in columns { parameters.append(texts: workers.map(column)) }
            return parameters
        }
    }

    struct NoteLeft: LedgerStatement {
        static let name = "coord_note_left"

        static func sql(_ ledger: String) -> String {
            """
            UPDATE \(ledger).worker SET left_at = clock_timestamp(), shard_id = NULL, rows_per_second = 0,
                activity = ''
            WHERE run_id = $1::bigint AND id = $2::uuid
            """
        }

        var run: RunID
        var worker: WorkerID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description, worker.rawValue]) }
    }

    struct NoteAllLeft: LedgerStatement {
        static let name = "coord_note_all_left"

        static func sql(_ ledger: String) -> String {
            """
            UPDATE \(ledger).worker SET left_at = clock_timestamp(), shard_id = NULL, rows_per_second = 0,
                activity = ''
            WHERE run_id = $1::bigint AND left_at IS NULL
            """
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }
    }

    struct NoteBatchRows: LedgerStatement {
        static let name = "coord_note_batch_rows"

        static func sql(_ ledger: String) -> String {
            """
            UPDATE \(ledger).run SET batch_rows = LEAST(COALESCE(batch_rows, $4::int), $4::int)
            WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint
            """
        }

        var ownership: Ownership
        var rows: Int
        var subject: RunID? { ownership.run }
        var parameters: PostgresParameters { PostgresParameters(ownership.parameters + ["\(rows)"]) }
    }

    struct NoteRowsAbove: LedgerStatement {
        static let name = "coord_note_rows_above"

        static func sql(_ ledger: String) -> String {
            "UPDATE \(ledger).run SET rows_above = $2::bigint WHERE id = $1::bigint"
        }

        var run: RunID
        var rows: Int64
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description, "\(rows)"]) }
    }
}
