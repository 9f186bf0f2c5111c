public import Ledger
public import Postgres
public import Sharding

/// Cuts a table's key space into ranges with about equal numbers of rows. Reads only.
public enum RangePlanner {
    /// Rows up to which the whole index is walked for exact quantiles: about a second at the most.
    static let exactLimit: Int64 = 5_000_000
    /// Steps of the walk for each shard, so that boundaries are right also when the number of rows was a guess.
    static let stepsPerShard = 4
    /// Samples for each shard: their number bounds how uneven the shards can be.
    static let samplesPerShard = 32
    /// Pages to sample for each shard, since neighbouring keys often share a page.
    static let pagesPerShard = 100

    /// - Parameter rows: rows of the table, as `Preflight` found.
    public static func plan(_ target: Target, rows: Int64, shards: Int, _ connection: PostgresConnection) throws
        -> ShardPlan
    {
        guard shards > 1, rows > 1 else { return ShardPlan.quantiles(of: [], count: 1, rows: rows) }
        let sample: [Key]
        if rows <= exactLimit {
            sample = try exact(target, rows: rows, shards: shards, connection)
        } else if let histogram = try histogram(target, shards: shards, connection) {
            sample = histogram
        } else {
            sample = try sampled(target, rows: rows, shards: shards, connection)
        }
        let plan = ShardPlan.quantiles(of: sample, count: shards, rows: rows)
        try KeyRange.checkTiling(plan.parts.map(\.range))
        return plan
    }

    /// Every n-th key, by a walk along the key's index that skips n - 1 entries at a time.
    private static func exact(_ target: Target, rows: Int64, shards: Int, _ connection: PostgresConnection) throws
        -> [Key]
    {
        let step = max(rows / Int64(shards * stepsPerShard), 1)
        let key = "\(target.alias).\(target.key.quoted)"
        let walk = target.alias == "coord_walk" ? "own_walk" : "coord_walk"
        return keys(
            try connection.execute(
                """
                WITH RECURSIVE \(walk) (k) AS (
                    (SELECT \(key) FROM ONLY \(target.table) ORDER BY \(key) OFFSET $1::bigint LIMIT 1)
                    UNION ALL
                    SELECT (SELECT \(key) FROM ONLY \(target.table) WHERE \(key) > \(walk).k
                            ORDER BY \(key) OFFSET $1::bigint LIMIT 1)
                    FROM \(walk) WHERE k IS NOT NULL
                ) SELECT k FROM \(walk) WHERE k IS NOT NULL
                """, ["\(step - 1)"]))
    }

    /// The bounds of the statistics' histogram, which for a unique column hold equal numbers of rows, when they are
    /// fine enough.
    private static func histogram(_ target: Target, shards: Int, _ connection: PostgresConnection) throws -> [Key]? {
        let result = try connection.execute(
            """
            SELECT unnest(s.histogram_bounds::text::text[]) FROM pg_stats AS s
            JOIN pg_class AS c ON c.relname = s.tablename
            JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = s.schemaname
            JOIN pg_stat_all_tables AS a ON a.relid = c.oid
            WHERE c.oid = $1::oid AND s.attname = $2 AND NOT s.inherited AND s.most_common_vals IS NULL
                AND a.n_mod_since_analyze < c.reltuples / 20
            """, ["\(target.oid)", target.key.name])
        guard result.rows > shards * 4 else { return nil }
        return keys(result)
    }

    /// Keys of some pages, sorted.
    private static func sampled(_ target: Target, rows: Int64, shards: Int, _ connection: PostgresConnection) throws
        -> [Key]
    {
        let pages =
            try connection.execute(
                "SELECT pg_relation_size($1::oid) / current_setting('block_size')::bigint", ["\(target.oid)"]
            ).int(0, 0) ?? 1
        let percent = min(100, Double(shards * pagesPerShard) * 100 / Double(max(pages, 1)))
        let sampledRows = Double(rows) * percent / 100
        let step = max(Int64(sampledRows / Double(shards * samplesPerShard)), 1)
        return keys(
            try connection.execute(
                """
                SELECT k FROM (
                    SELECT \(target.key.quoted) AS k, row_number() OVER (ORDER BY \(target.key.quoted)) AS n
                    FROM ONLY \(target.table) TABLESAMPLE SYSTEM (\(percent)) REPEATABLE (1)
                ) AS numbered WHERE n % $1::bigint = 0 ORDER BY k
                """, ["\(step)"]))
    }

    private static func keys(_ result: PostgresResult) -> [Key] {
        (0..<result.rows).compactMap { row in result.text(row, 0).map { Key($0) } }
    }
}
