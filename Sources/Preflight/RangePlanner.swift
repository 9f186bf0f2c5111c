import Batches
import Ledger
public import Postgres
public import Sharding

/// Cuts a table's key space into ranges with about equal numbers of rows. It only reads.
public enum RangePlanner {
    /// Up to this number of rows, the whole index is walked for exact quantiles even if statistics would do: some 15
    /// ms.
    static let alwaysExactLimit: Int64 = 200_000
    /// Up to this number of rows, the whole index is walked if no statistics will do: about a second at most.
    static let exactLimit: Int64 = 5_000_000
    /// Steps of the walk for each shard, so that the boundaries are right even if the number of rows was a guess.
    static let stepsPerShard = 4
    /// Samples for each shard. More samples make the shards more even.
    static let samplesPerShard = 32
    /// Pages to sample for each shard, since neighbouring keys often share a page.
    static let pagesPerShard = 100

    /// - Parameters:
    ///   - rows: the table's number of rows, as `Preflight` found it.
    ///   - shards: the wanted number of ranges.
    ///   - isCountFree: whether statistics may give fewer ranges, down to a half.
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
        // Read last, so that most keys of the sample are below it. Rows inserted above it later are out of the run's
        // scope: otherwise an application that inserts faster than the run works would keep it going for ever.
        let end = try lastKey(target, connection)
        if let end { sample = try keys(upTo: end, of: sample, target, connection) }
        let plan = ShardPlan.quantiles(of: sample, count: shards, rows: rows, through: end)
        try KeyRange.checkTiling(plan.parts.map(\.range), of: KeyRange(after: nil, through: end))
        return plan
    }

    /// The highest present key; nil for an empty table.
    public static func lastKey(_ target: Target, _ connection: PostgresConnection) throws -> Key? {
        let key = target.key
        let columns = key.names(of: target.alias).joined(separator: ", ")
        return key.keys(
            try connection.execute(
                "SELECT \(columns) FROM ONLY \(target.table) ORDER BY \(key.order(of: target.alias, descending: true)) LIMIT 1"
            )
        ).first
    }

    /// The number of rows above a key that meet the job's condition, counted up to `limit`.
    public static func rows(above end: Key, limit: Int, _ target: Target, _ connection: PostgresConnection) throws
        -> Int64
    {
        let condition = target.predicate.map { " AND (\($0)\n)" } ?? ""
        var parameters = PostgresParameters()
        target.key.append(end, to: &parameters)
        return try connection.executePrepared(
            "coord_rows_above",
            """
            SELECT pg_catalog.count(*) FROM (SELECT 1 FROM ONLY \(target.table)
                WHERE \(target.key.compared(">", target.key.parameters(from: 1), target.alias))\(condition) LIMIT \(limit)) AS rows
            """, parameters
        ).int(0, 0) ?? 0
    }

    private static func keys(upTo end: Key, of sample: [Key], _ target: Target, _ connection: PostgresConnection) throws
        -> [Key]
    {
        var parameters = PostgresParameters([end.literal])
        target.key.appendTexts(sample, to: &parameters)
        let names = target.key.labels("k")
        let arrays = names.indices.map { "$\($0 + 2)::text[]" }.joined(separator: ", ")
        let values = target.key.values(ofTexts: names)
        let last = target.key.value(ofArray: "$1::text[]")
        return target.key.keys(
            try connection.executePrepared(
                "coord_keys_up_to \(values)",
                """
                SELECT \(names.joined(separator: ", ")) FROM unnest(\(arrays)) WITH ORDINALITY AS u(\(names.joined(separator: ", ")), n)
                WHERE \(values) <= \(last) ORDER BY n
                """, parameters))
    }

    /// Every n-th key, by a walk along the key's index that skips n - 1 entries at a time.
    private static func exact(_ target: Target, rows: Int64, shards: Int, _ connection: PostgresConnection) throws
        -> [Key]
    {
        let step = max(rows / Int64(shards * stepsPerShard), 1)
        let key = target.key
        let walk = target.alias == "coord_walk" ? "own_walk" : "coord_walk"
        let labels = key.labels("k")
        let list = labels.joined(separator: ", ")
        let reached = labels.map { "\(walk).\($0)" }
        func next(_ condition: String) -> String {
            """
            SELECT \(key.selected(of: target.alias, as: labels)) FROM ONLY \(target.table) \(condition)
            ORDER BY \(key.order(of: target.alias)) OFFSET $1::bigint LIMIT 1
            """
        }
        return key.keys(
            try connection.execute(
                """
                WITH RECURSIVE \(walk) (\(list)) AS (
                    (\(next("")))
                    UNION ALL
                    SELECT step.* FROM \(walk) CROSS JOIN LATERAL (
                        \(next("WHERE \(key.compared(">", reached, target.alias))"))) AS step
                ) SELECT \(list) FROM \(walk)
                """, ["\(step - 1)"]))
    }

    /// The bucket ends of the statistics' histogram, and the number of ranges to make of them. The buckets of a unique
    /// column hold equal numbers of rows. Nil when the statistics are old, or too coarse for that many ranges.
    private static func histogram(
        _ target: Target, rows: Int64, shards: Int, isCountFree: Bool, _ connection: PostgresConnection
    ) throws -> (ends: [Key], shards: Int)? {
        // Statistics describe one column, so they fit only a key of one column.
        guard let column = target.key.onlyColumn else { return nil }
        // The number of changed rows since then does not matter: most changes leave the keys alone.
        let result = try connection.execute(
            """
            SELECT unnest(s.histogram_bounds::text::text[]) FROM pg_stats AS s
            JOIN pg_class AS c ON c.relname = s.tablename
            JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = s.schemaname
            WHERE c.oid = $1::oid AND s.attname = $2 AND NOT s.inherited AND s.most_common_vals IS NULL
                AND pg_relation_size(c.oid) <= c.relpages * current_setting('block_size')::bigint * 1.2
            """, ["\(target.oid)", column.name])
        let bounds = target.key.keys(result)
        // The first bound is the least key. It ends no bucket.
        let ends = Array(bounds.dropFirst())
        guard let first = bounds.first, let last = ends.last else { return nil }
        var shards = shards
        if ends.count < shards * 4 {
            guard isCountFree else { return nil }
            // Whole buckets for each range, so that the ranges are equal.
            let whole = ends.count / ((ends.count + shards - 1) / shards)
            guard whole * 2 >= shards else { return nil }
            shards = whole
        }
        let limit = max(rows / Int64(shards) / 2, 1)
        return try hasRows(target, outside: (first, last), limit: limit, connection) ? nil : (ends, shards)
    }

    /// Whether more than `limit` rows have keys below the first or above the last end. Most new rows come there.
    private static func hasRows(
        _ target: Target, outside ends: (first: Key, last: Key), limit: Int64, _ connection: PostgresConnection
    ) throws -> Bool {
        let key = target.key
        var parameters = PostgresParameters()
        key.append(ends.first, to: &parameters)
        key.append(ends.last, to: &parameters)
        parameters.append(limit)
        func next(_ comparison: String, from number: Int, descending: Bool) -> String {
            "EXISTS (SELECT FROM ONLY \(target.table) "
                + "WHERE \(key.compared(comparison, key.parameters(from: number), target.alias)) "
                + "ORDER BY \(key.order(of: target.alias, descending: descending)) "
                + "OFFSET $\(2 * key.count + 1)::bigint LIMIT 1)"
        }
        return try connection.executePrepared(
            "coord_rows_outside",
            "SELECT \(next("<", from: 1, descending: true)) OR \(next(">", from: key.count + 1, descending: false))",
            parameters
        ).bool(0, 0) ?? true
    }

    /// The sorted keys of some sampled pages.
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
        let key = target.key
        let labels = key.labels("k")
        let list = labels.joined(separator: ", ")
        return key.keys(
            try connection.execute(
                """
                SELECT \(list) FROM (
                    SELECT \(key.selected(of: target.alias, as: labels)),
                        row_number() OVER (ORDER BY \(key.order(of: target.alias))) AS n
                    FROM ONLY \(target.table) TABLESAMPLE SYSTEM (\(percent)) REPEATABLE (1)
                ) AS numbered WHERE n % $1::bigint = 0 ORDER BY \(list)
                """, ["\(step)"]))
    }
}
