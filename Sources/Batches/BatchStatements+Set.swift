import Sharding

// Batches that PostgreSQL computes.
extension BatchStatements {
    /// One batch of a `set` job.
    ///
    /// Parameters: $6 lower bound when `hasLower`, then the upper bound when `hasUpper`, then rows of the batch minus
    /// one, then its bytes when `byBytes`, in `apply`'s order. Returns checkpoint, sequence, rows_done, done, deferred,
    /// whether the range is exhausted.
    ///
    /// The batch's upper bound comes from the key's index alone; the rows are then updated by range. `byBytes` looks at
    /// the rows themselves first, to end the batch before the row that would exceed its bytes; needs `target.width`.
    ///
    /// - Parameter aroundHeld: leave out rows that somebody holds, and defer their keys.
    public func apply(hasLower: Bool, hasUpper: Bool, byBytes: Bool = false, aroundHeld: Bool = false) -> String {
        guard case .set(let assignments) = target.change else { preconditionFailure("a compute job has no expression") }
        let bounds = bounds(from: 6, hasLower: hasLower, hasUpper: hasUpper)
        let (lower, upper) = (bounds.lower, bounds.upper)
        let offset = "$\(bounds.next)::\(Self.int8)"
        let inRange = [lower, upper.map(keyIsUpTo)].compactMap { $0 }
        let inRangeClause = inRange.isEmpty ? "" : "WHERE " + inRange.joined(separator: " AND ")
        let last = upper ?? lastKey(above: lower)
        let nth =
            byBytes
            ? boundByBytes("$\(bounds.next + 1)::\(Self.int8)", inRangeClause, offset)
            : """
            \(own)nth AS MATERIALIZED (
                SELECT \(own)row.* FROM \(own)fence LEFT JOIN LATERAL (
                    SELECT \(selectedKey) FROM ONLY \(target.table) \(inRangeClause)
                    ORDER BY \(keyOrder) OFFSET \(offset) LIMIT 1) AS \(own)row ON true
            )
            """
        let predicate = target.predicate.map { "(\($0)\n)" }
        let values = assignments.map { "\($0.column.quoted) = (\($0.expression)\n)" }.joined(separator: ", ")
        let through = target.key.labels("\(own)through")
        let ends = zip(zip(keyLabels, last), through).map { "COALESCE(\($0.0), \($0.1)) AS \($1)" }
        let bound = through.map { "(SELECT \(own)bound.\($0) FROM \(own)bound)" }
        var conditions = [lower, keyIsUpTo(bound), predicate].compactMap { $0 }
        var held = ""
        var deferred: String?
        if aroundHeld {
            let batch = [lower, keyIsUpTo(through.map { "\(own)bound.\($0)" }), predicate].compactMap { $0 }
            held = ", " + lockable(from: "\(own)bound", where: batch.joined(separator: " AND "))
            conditions.append(target.key.isAmong("\(own)locked", keyLabels, target.alias))
            deferred = "(SELECT \(own)fence.deferred FROM \(own)fence) OPERATOR(pg_catalog.||) \(heldKeys)"
        }
        return """
            WITH \(tableLock), \(own)fence AS MATERIALIZED (\(fence)),
            \(nth), \(own)bound AS MATERIALIZED (
                SELECT \(ends.joined(separator: ", ")), \(keyLabels[0]) IS NULL AS \(own)last FROM \(own)nth
            )\(held), \(own)changed AS (
                UPDATE ONLY \(target.table) SET \(values)
                WHERE \(conditions.joined(separator: " AND "))
                RETURNING 1
            )
            \(advance(
                from: "\(own)bound",
                to: CursorTerms(
                    checkpoint: "CASE WHEN \(through[0]) IS NOT NULL THEN \(target.key.array(of: through)) END"),
                changed: "(SELECT pg_catalog.count(*) FROM \(own)changed)", deferred: deferred,
                exhausted: "\(own)last", returning: "\(own)last"))
            """
    }

    /// Updates deferred rows, which earlier batches have left out because another session held them. Rows that are
    /// still held stay deferred.
    ///
    /// Parameters: $6 the keys (text[]), $7 whether the range is exhausted. Returns the same columns as `apply`.
    public func applyDeferred() -> String {
        guard case .set(let assignments) = target.change else { preconditionFailure("a compute job has no expression") }
        let predicate = target.predicate.map { " AND (\($0)\n)" } ?? ""
        let values = assignments.map { "\($0.column.quoted) = (\($0.expression)\n)" }.joined(separator: ", ")
        // Through text, the ledger's form of a key.
        let wanted = target.key.isAmong(texts: "$6", own, target.alias)
        return """
            WITH \(tableLock), \(own)fence AS MATERIALIZED (\(fence)),
            \(lockable(from: "\(own)fence", where: "\(own)fence.id IS NOT NULL AND \(wanted)\(predicate)")),
            \(own)changed AS (
                UPDATE ONLY \(target.table) SET \(values)
                WHERE \(target.key.isAmong("\(own)locked", keyLabels, target.alias))\(predicate)
                RETURNING 1
            ), \(own)left AS MATERIALIZED (
                SELECT \(stillDeferred(without: "$6")) OPERATOR(pg_catalog.||) \(heldKeys) AS \(own)deferred
                FROM \(own)fence
            )
            \(advance(
                from: "\(own)left", to: nil, changed: "(SELECT pg_catalog.count(*) FROM \(own)changed)",
                deferred: "\(own)deferred", exhausted: "$7::pg_catalog.bool", returning: "$7::pg_catalog.bool"))
            """
    }

    /// The rows that meet the condition, and, locked, those of them that are free.
    ///
    /// - Parameter source: the part of the statement that the rows depend on.
    func lockable(from source: String, where condition: String) -> String {
        let rows = "SELECT \(selectedKey) FROM ONLY \(target.table) WHERE \(condition)"
        return """
            \(own)locked AS MATERIALIZED (
                SELECT \(own)row.* FROM \(source) CROSS JOIN LATERAL (
                    \(rows) ORDER BY \(keyOrder) FOR NO KEY UPDATE OF \(target.alias) SKIP LOCKED) AS \(own)row
            ), \(own)present AS MATERIALIZED (
                SELECT \(own)row.* FROM \(source) CROSS JOIN LATERAL (\(rows)) AS \(own)row
            )
            """
    }

    var heldKeys: String {
        """
        ARRAY(SELECT \(target.key.text(of: keyLabels)) FROM \(own)present
              EXCEPT SELECT \(target.key.text(of: keyLabels)) FROM \(own)locked)
        """
    }

    /// The last key of a batch with a byte limit: the key of the last row that fits, or of the first row.
    private func boundByBytes(_ bytes: String, _ inRangeClause: String, _ offset: String) -> String {
        guard let width = target.width else { preconditionFailure("no value of the job may be long") }
        // Rows outside the predicate are not rewritten, so they count no bytes.
        let counted = target.predicate.map { "CASE WHEN (\($0)\n) THEN \(width) ELSE 0 END" } ?? width
        let (above, upTo) = (Self.above, Self.upTo)
        let labels = keyLabels.joined(separator: ", ")
        return """
            \(own)next AS MATERIALIZED (
                SELECT \(labels), pg_catalog.row_number() OVER \(own)before AS \(own)n,
                    pg_catalog.sum(\(own)b) OVER \(own)before AS \(own)sum
                FROM \(own)fence CROSS JOIN LATERAL (
                    SELECT \(selectedKey), \(counted) AS \(own)b FROM ONLY \(target.table) \(inRangeClause)
                    ORDER BY \(keyOrder) LIMIT \(offset) OPERATOR(pg_catalog.+) 1) AS \(own)row
                WINDOW \(own)before AS (ORDER BY \(labels) ROWS UNBOUNDED PRECEDING)
            ), \(own)nth AS MATERIALIZED (
                SELECT \(own)row.* FROM \(own)fence LEFT JOIN LATERAL (
                    SELECT \(labels) FROM \(own)next WHERE \(own)n \(Self.equal) 1 OR \(own)sum \(upTo) \(bytes)
                    ORDER BY \(own)n DESC LIMIT 1
                ) AS \(own)row ON EXISTS (SELECT FROM \(own)next WHERE \(own)n \(above) \(offset)
                    OR \(own)n \(above) 1 AND \(own)sum \(above) \(bytes))
            )
            """
    }
}
