import Batches
import Ledger
public import Postgres
public import Sharding

/// Cuts a table's key space into ranges with about equal numbers of rows. Reads only.
public enum RangePlanner {
    /// Rows up to which the whole index is walked for exact quantiles, also when statistics would do: some 15 ms.
    static let alwaysExactLimit: Int64 = 200_000
    /// Rows up to which the whole index is walked when there are no statistics that would do: about a second at the most.
    static let exactLimit: Int64 = 5_000_000
    /// Steps of the walk for each shard, so that boundaries are right also when the number of rows was a guess.
    static let stepsPerShard = 4
    /// Samples for each shard: their number bounds how uneven the shards can be.
    static let samplesPerShard = 32
    /// Pages to sample for each shard, since neighbouring keys often share a page.
    static let pagesPerShard = 100

    /// - Parameters:
    ///   - rows: rows of the table, as `Preflight` found.
    ///   - shards: how many ranges there should be.
    ///   - isCountFree: fewer ranges will do, down to a half, where statistics give those.
    public static func plan(
        _ target: Target, rows: Int64, shards: Int, isCountFree: Bool = false, _ connection: PostgresConnection
    ) throws -> ShardPlan {
        guard shards > 1, rows > 1 else {
            return ShardPlan.quantiles(of: [], count: 1, rows: rows, through: try lastKey(target, connection))
        }
        var shards = shards
        var sample: [Key]
        if rows > alwaysExactLimit, isCountFree || rows > exactLimit,
            let found = try histogram(target, rows: rows, shards: shards, isCountFree: isCountFree, connection)
        {
            (sample, shards) = found
        } else if rows <= exactLimit {
            sample = try exact(target, rows: rows, shards: shards, connection)
        } else {
            sample = try sampled(target, rows: rows, shards: shards, connection)
        }
        // Read last, so that the sample's keys are mostly below it. Rows that come above it later are not the run's: it would
        // run behind an application that inserts faster than it works.
        let end = try lastKey(target, connection)
        if let end { sample = try keys(upTo: end, of: sample, target, connection) }
        let plan = ShardPlan.quantiles(of: sample, count: shards, rows: rows, through: end)
        try KeyRange.checkTiling(plan.parts.map(\.range), of: KeyRange(after: nil, through: end))
        return plan
    }

    /// The highest key that there is now; nil for an empty table.
    public static func lastKey(_ target: Target, _ connection: PostgresConnection) throws -> Key? {
        let key = "\(target.alias).\(target.key.quoted)"
        return try connection.execute("SELECT \(key) FROM ONLY \(target.table) ORDER BY \(key) DESC LIMIT 1")
            .text(0, 0).map { Key($0) }
    }

    /// How many rows have come above a key, counted up to `limit`, of those that the job's condition is true for.
    public static func rows(above end: Key, limit: Int, _ target: Target, _ connection: PostgresConnection) throws
        -> Int64
    {
        let key = "\(target.alias).\(target.key.quoted)"
        let condition = target.predicate.map { " AND (\($0)\n)" } ?? ""
        return try connection.execute(
            """
            SELECT pg_catalog.count(*) FROM (SELECT 1 FROM ONLY \(target.table)
                WHERE \(key) OPERATOR(pg_catalog.>) $1::\(target.keyType.sqlName)\(condition) LIMIT \(limit)) AS rows
            """, [end.components[0]]
        ).int(0, 0) ?? 0
    }

    private static func keys(upTo end: Key, of sample: [Key], _ target: Target, _ connection: PostgresConnection) throws
        -> [Key]
    {
        var parameters = PostgresParameters([end.components[0]])
        parameters.beginArray(elementType: ElementType.text.rawValue)
        for key in sample { Array(key.components[0].utf8).withUnsafeBytes { parameters.appendElement($0) } }
        parameters.endArray()
        let type = target.keyType.sqlName
        let collation = target.keyCollation.map { " COLLATE \($0)" } ?? ""
        return keys(
            try connection.executePrepared(
                "coord_keys_up_to \(type)\(collation)",
                """
                SELECT k FROM unnest($2::text[]) WITH ORDINALITY AS u(k, n)
                WHERE k::\(type)\(collation) <= $1::text::\(type)\(collation) ORDER BY n
                """, parameters))
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

    /// The ends of the buckets of the statistics' histogram, which for a unique column hold equal numbers of rows, and how
    /// many ranges to make of them. Nil when the statistics are old, or too coarse for as many ranges.
    private static func histogram(
        _ target: Target, rows: Int64, shards: Int, isCountFree: Bool, _ connection: PostgresConnection
    ) throws -> (ends: [Key], shards: Int)? {
        // How many rows were changed since does not tell: most changes leave the keys as they are.
        let result = try connection.execute(
            """
            SELECT unnest(s.histogram_bounds::text::text[]) FROM pg_stats AS s
            JOIN pg_class AS c ON c.relname = s.tablename
            JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = s.schemaname
            WHERE c.oid = $1::oid AND s.attname = $2 AND NOT s.inherited AND s.most_common_vals IS NULL
                AND pg_relation_size(c.oid) <= c.relpages * current_setting('block_size')::bigint * 1.2
            """, ["\(target.oid)", target.key.name])
        let bounds = keys(result)
        // The first bound is the least key, which ends no bucket.
        let ends = Array(bounds.dropFirst())
        guard let first = bounds.first, let last = ends.last else { return nil }
        var shards = shards
        if ends.count < shards * 4 {
            guard isCountFree else { return nil }
            // As many whole buckets a range as make the ranges equal.
            let whole = ends.count / ((ends.count + shards - 1) / shards)
            guard whole * 2 >= shards else { return nil }
            shards = whole
        }
        let limit = max(rows / Int64(shards) / 2, 1)
        return try hasRows(target, outside: (first, last), limit: limit, connection) ? nil : (ends, shards)
    }

    /// Whether more than `limit` rows have keys below the first or above the last: where most new rows come.
    private static func hasRows(
        _ target: Target, outside ends: (first: Key, last: Key), limit: Int64, _ connection: PostgresConnection
    ) throws -> Bool {
        let key = "\(target.alias).\(target.key.quoted)"
        let type = target.keyType.sqlName
        func next(_ comparison: String, _ order: String) -> String {
            "EXISTS (SELECT FROM ONLY \(target.table) WHERE \(key) \(comparison)::\(type) "
                + "ORDER BY \(key) \(order) OFFSET $3::bigint LIMIT 1)"
        }
        return try connection.execute(
            "SELECT \(next("< $1", "DESC")) OR \(next("> $2", "ASC"))",
            [ends.first.components[0], ends.last.components[0], "\(limit)"]
        ).bool(0, 0) ?? true
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
