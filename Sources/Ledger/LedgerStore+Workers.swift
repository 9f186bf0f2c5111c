import Postgres
public import Sharding

/// A worker as `coord status` shows it.
public struct WorkerRecord: Sendable, Equatable {
    public var id: WorkerID
    public var host: String
    public var pid: Int32
    public var shard: ShardID?
    public var rowsDone: Int64
    public var rowsPerSecond: Double
    public var rssBytes: Int64
    public var peakRSSBytes: Int64

    public init(
        id: WorkerID, host: String, pid: Int32, shard: ShardID? = nil, rowsDone: Int64 = 0, rowsPerSecond: Double = 0,
        rssBytes: Int64 = 0, peakRSSBytes: Int64 = 0
    ) {
        self.id = id
        self.host = host
        self.pid = pid
        self.shard = shard
        self.rowsDone = rowsDone
        self.rowsPerSecond = rowsPerSecond
        self.rssBytes = rssBytes
        self.peakRSSBytes = peakRSSBytes
    }
}

extension LedgerStore {
    /// Notes how the workers do. Called every few seconds, for `coord status` from other hosts.
    public func note(_ workers: [WorkerRecord], of run: RunID) throws {
        guard !workers.isEmpty else { return }
        let rows = workers.indices.map { index in
            let base = index * 8 + 2
            let casts = ["uuid", "text", "int", "int", "bigint", "double precision", "bigint", "bigint"]
            let values = casts.enumerated().map { "$\(base + $0.offset)::\($0.element)" }
            return "($1::bigint, " + values.joined(separator: ", ") + ")"
        }
        let values: [String?] = workers.flatMap { worker -> [String?] in
            [
                worker.id.rawValue, worker.host, "\(worker.pid)", worker.shard?.description, "\(worker.rowsDone)",
                "\(worker.rowsPerSecond)", "\(worker.rssBytes)", "\(worker.peakRSSBytes)",
            ]
        }
        try connection.execute(
            """
            INSERT INTO \(ledger).worker
                (run_id, id, host, pid, shard_id, rows_done, rows_per_second, rss_bytes, peak_rss_bytes)
            VALUES \(rows.joined(separator: ", "))
            ON CONFLICT (run_id, id) DO UPDATE SET shard_id = excluded.shard_id, rows_done = excluded.rows_done,
                rows_per_second = excluded.rows_per_second, rss_bytes = excluded.rss_bytes,
                peak_rss_bytes = excluded.peak_rss_bytes, seen_at = now(), left_at = NULL
            """, [run.description] + values)
    }

    public func noteLeft(_ worker: WorkerID, of run: RunID) throws {
        try connection.execute(
            """
            UPDATE \(ledger).worker SET left_at = clock_timestamp(), shard_id = NULL, rows_per_second = 0
            WHERE run_id = $1::bigint AND id = $2::uuid
            """, [run.description, worker.rawValue])
    }

    /// The run has no coordinator any more, or a new one: whoever worked for it has left, or joins again.
    public func noteAllLeft(_ run: RunID) throws {
        try connection.execute(
            """
            UPDATE \(ledger).worker SET left_at = clock_timestamp(), shard_id = NULL, rows_per_second = 0
            WHERE run_id = $1::bigint AND left_at IS NULL
            """, [run.description])
    }

    /// The last figures of a run's workers, which have all left.
    ///
    /// Nothing hangs on them, so the commit does not wait for the disk.
    public func noteEnd(_ workers: [WorkerRecord], of run: RunID) throws {
        try transaction {
            try connection.execute("SET LOCAL synchronous_commit = off")
            try note(workers, of: run)
            try noteAllLeft(run)
        }
    }

    /// The workers of a run: those at work, or, when the run has ended, all that it had.
    public func workers(of run: RunID, includeGone: Bool) throws -> [WorkerRecord] {
        let gone = includeGone ? "" : "AND left_at IS NULL AND seen_at > clock_timestamp() - interval '30 seconds'"
        let result = try connection.execute(
            """
            SELECT id, host, pid, shard_id, rows_done, rows_per_second, rss_bytes, peak_rss_bytes FROM \(ledger).worker
            WHERE run_id = $1::bigint \(gone) ORDER BY host, pid
            """, [run.description])
        return (0..<result.rows).map { row in
            WorkerRecord(
                id: WorkerID(result.text(row, 0) ?? ""), host: result.text(row, 1) ?? "",
                pid: Int32(result.int(row, 2) ?? 0), shard: result.int(row, 3).map { ShardID(Int32($0)) },
                rowsDone: result.int(row, 4) ?? 0, rowsPerSecond: Double(result.text(row, 5) ?? "") ?? 0,
                rssBytes: result.int(row, 6) ?? 0, peakRSSBytes: result.int(row, 7) ?? 0)
        }
    }
}
