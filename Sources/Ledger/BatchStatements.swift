import Postgres
import Sharding

/// The safety mechanisms of a batch. Tests switch one off to prove that it is needed; nothing else may.
package struct Mechanisms: OptionSet, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
    /// The batch is refused unless the shard has its epoch, owner and sequence.
    package static let fence = Mechanisms(rawValue: 1)
    /// The checkpoint moves in the batch's own transaction.
    package static let checkpoint = Mechanisms(rawValue: 2)
    /// A row that changed since it was read is left alone.
    package static let compare = Mechanisms(rawValue: 4)
    package static let all: Mechanisms = [.fence, .checkpoint, .compare]
}

/// The statements that advance a shard, made once for a run.
///
/// Every batch is one statement, so one round trip and one transaction that no client can leave open: fence, rows and
/// checkpoint together. A statement that the fence refuses returns no row, and has changed none, since both the rows'
/// and the shard's update hang on the fence's row.
///
/// Parameters $1 to $5 are the same in all that write: run, shard, epoch, owner, sequence.
public struct BatchStatements: Sendable {
    public let target: Target
    let mechanisms: Mechanisms
    /// What the statements' own names begin with, which no table of that name can collide with.
    private let own: String

    public init(target: Target) { self.init(target: target, mechanisms: .all) }

    package init(target: Target, mechanisms: Mechanisms) {
        self.target = target
        self.mechanisms = mechanisms
        own = target.alias.contains("coord_") ? "own_" : "coord_"
    }

    /// What the statements' plans need of a session, beside `PostgresSession.batches`.
    public var session: [String] {
        guard case .compute = target.change else { return [] }
        return PostgresSession.rowBatches(byHash: joinsByHash)
    }

    /// Arrays are joined to the rows by hash, unless that would be the plan of a subquery in the job's own predicate too.
    private var joinsByHash: Bool { !target.mayHaveSubquery }

    // MARK: - Set-based

    /// One batch of a `set` job.
    ///
    /// Parameters: $6 lower bound when `hasLower`, then the upper bound when `hasUpper`, then rows of the batch minus
    /// one, then its bytes when `byBytes`, in `apply`'s order. Returns checkpoint, sequence, rows_done, done.
    ///
    /// The batch's upper bound comes from the key's index alone; the rows are then updated by range. `byBytes` looks at
    /// the rows themselves first, to end the batch before the row that would exceed its bytes; needs `target.width`.
    public func apply(hasLower: Bool, hasUpper: Bool, byBytes: Bool = false) -> String {
        guard case .set(let assignments) = target.change else { preconditionFailure("a compute job has no expression") }
        let key = target.qualifiedKey
        let type = target.keyType.sqlName
        var parameter = 6
        func next() -> String {
            defer { parameter += 1 }
            return "$\(parameter)"
        }
        let lower = hasLower ? "\(key) > \(next())::\(type)" : nil
        let upper = hasUpper ? "\(next())::\(type)" : nil
        let offset = "\(next())::bigint"
        let inRange = [lower, upper.map { "\(key) <= \($0)" }].compactMap { $0 }
        let inRangeClause = inRange.isEmpty ? "" : "WHERE " + inRange.joined(separator: " AND ")
        let last = upper ?? lastKey(above: lower)
        var conditions = [lower, "\(key) <= (SELECT \(own)bound.\(own)through FROM \(own)bound)"].compactMap { $0 }
        if let predicate = target.predicate { conditions.append("(\(predicate)\n)") }
        let values = assignments.map { "\($0.column.quoted) = (\($0.expression)\n)" }.joined(separator: ", ")
        let nth =
            byBytes
            ? boundByBytes("\(next())::bigint", inRangeClause, offset)
            : """
            \(own)nth AS MATERIALIZED (
                SELECT (SELECT \(key) FROM ONLY \(target.table) \(inRangeClause)
                        ORDER BY \(key) OFFSET \(offset) LIMIT 1) AS \(own)key
                FROM \(own)fence
            )
            """
        return """
            WITH \(own)fence AS MATERIALIZED (\(fence)),
            \(nth), \(own)bound AS MATERIALIZED (
                SELECT COALESCE(\(own)key, \(last)) AS \(own)through, \(own)key IS NULL AS \(own)last FROM \(own)nth
            ), \(own)changed AS (
                UPDATE ONLY \(target.table) SET \(values)
                WHERE \(conditions.joined(separator: " AND "))
                RETURNING 1
            )
            UPDATE coord.shard AS s SET
                \(advance("CASE WHEN \(own)through IS NULL THEN s.checkpoint ELSE ARRAY[\(own)through::text] END"))
                rows_done = s.rows_done + (SELECT count(*) FROM \(own)changed),
                failures = 0, error = NULL,
                state = CASE WHEN \(own)last THEN 'done' ELSE s.state END
            FROM \(own)bound
            WHERE s.run_id = $1::bigint AND s.id = $2::int
            RETURNING s.checkpoint[1] AS \(own)checkpoint, s.sequence AS \(own)sequence, s.rows_done AS \(own)rows,
                s.state = 'done' AS \(own)done
            """
    }

    /// The key that ends a batch of bounded bytes: that of the last row which still fits, or of the first row.
    private func boundByBytes(_ bytes: String, _ inRangeClause: String, _ offset: String) -> String {
        guard let width = target.width else { preconditionFailure("no value of the job may be long") }
        let key = target.qualifiedKey
        // Rows that the predicate leaves alone are passed over, not rewritten.
        let counted = target.predicate.map { "CASE WHEN (\($0)\n) THEN \(width) ELSE 0 END" } ?? width
        return """
            \(own)next AS MATERIALIZED (
                SELECT \(own)k, row_number() OVER \(own)before AS \(own)n, sum(\(own)b) OVER \(own)before AS \(own)sum
                FROM \(own)fence CROSS JOIN LATERAL (
                    SELECT \(key) AS \(own)k, \(counted) AS \(own)b FROM ONLY \(target.table) \(inRangeClause)
                    ORDER BY \(key) LIMIT \(offset) + 1) AS \(own)row
                WINDOW \(own)before AS (ORDER BY \(own)k ROWS UNBOUNDED PRECEDING)
            ), \(own)nth AS MATERIALIZED (
                SELECT CASE WHEN EXISTS (SELECT FROM \(own)next
                                         WHERE \(own)n > \(offset) OR \(own)n > 1 AND \(own)sum > \(bytes))
                    THEN (SELECT \(own)k FROM \(own)next WHERE \(own)n = 1 OR \(own)sum <= \(bytes)
                          ORDER BY \(own)n DESC LIMIT 1) END AS \(own)key
                FROM \(own)fence
            )
            """
    }

    // MARK: - Row-based

    /// Reads the next rows of the range: key, xmin, ctid and the columns to read.
    ///
    /// Parameters: $1 lower bound when `hasLower`, then upper bound when `hasUpper`, then the limit in rows. With a
    /// predicate, one more: how many keys the read may look at, so that a predicate that few rows meet cannot make
    /// one read scan a whole shard; the first column then is where the look ended, the others are null when no row
    /// was found.
    public func read(hasLower: Bool, hasUpper: Bool) -> String {
        let key = target.qualifiedKey
        let type = target.keyType.sqlName
        var parameter = 1
        func next() -> String {
            defer { parameter += 1 }
            return "$\(parameter)"
        }
        let lower = hasLower ? "\(key) > \(next())::\(type)" : nil
        let end = hasUpper ? "\(next())::\(type)" : nil
        let limit = next()
        let range = [lower, end.map { "\(key) <= \($0)" }].compactMap { $0 }
        guard let predicate = target.predicate else {
            let filter = range.isEmpty ? "" : "WHERE " + range.joined(separator: " AND ")
            return """
                SELECT \(readColumns) FROM ONLY \(target.table) \(filter)
                ORDER BY \(key) LIMIT \(limit)::bigint
                """
        }
        let window = next()
        let filter = range.isEmpty ? "" : "WHERE " + range.joined(separator: " AND ")
        let last = end ?? lastKey(above: lower)
        let conditions = [lower, "\(key) <= \(own)window.\(own)stop", "(\(predicate)\n)"].compactMap { $0 }
        return """
            SELECT \(own)window.\(own)end, \(own)rows.*
            FROM (
                SELECT \(own)nth.\(own)end, COALESCE(\(own)nth.\(own)end, \(last)) AS \(own)stop
                FROM (SELECT (SELECT \(key) FROM ONLY \(target.table) \(filter)
                              ORDER BY \(key) OFFSET \(window)::bigint LIMIT 1) AS \(own)end OFFSET 0) AS \(own)nth
                OFFSET 0
            ) AS \(own)window LEFT JOIN LATERAL (
                SELECT \(readColumns) FROM ONLY \(target.table) WHERE \(conditions.joined(separator: " AND "))
                ORDER BY \(key) LIMIT \(limit)::bigint
            ) AS \(own)rows ON true
            """
    }

    /// Reads deferred rows again by key. Parameter: $1 the keys. `locking` keeps them from changing until the commit.
    public func readDeferred(locking: Bool) -> String {
        let predicate = target.predicate.map { " AND (\($0)\n)" } ?? ""
        return """
            SELECT \(readColumns) FROM ONLY \(target.table)
            WHERE \(target.qualifiedKey) = ANY($1::\(target.keyType.sqlName)[])\(predicate)
            ORDER BY \(target.qualifiedKey)\(locking ? " FOR NO KEY UPDATE" : "")
            """
    }

    /// Writes a computed batch.
    ///
    /// Parameters: $6 new checkpoint or null, $7 the range is exhausted, $8 deferred keys that this batch has read
    /// again (text[]), $9 keys, $10 the rows' xmin and $11 their ctid as read, then an array for each written column.
    /// Returns checkpoint, sequence, rows_done, done, deferred, rows changed.
    ///
    /// Rows are found by their ctid, which spares the way through the key's index. A row that is no longer there, or
    /// whose xmin or key is another, was changed by somebody else: it is left alone and its key deferred. After a lock
    /// wait PostgreSQL checks xmin and key again on the row's new version; of a ctid it would not.
    ///
    /// By hash, one scan fetches all rows by their ctids; otherwise one scan starts for each. The LIMIT cuts nothing: it
    /// has the planner expect fewer values than rows, and hash them.
    ///
    /// The arrays are unnested side by side in a SELECT list, which hands on one row after the other, where the
    /// function in FROM would first store each array's rows and then all of them together.
    public func write() -> String {
        guard case .compute(_, let writes) = target.change else { preconditionFailure("a set job writes no arrays") }
        let names = writes.indices.map { "\(own)v\($0)" }
        let arrays = zip(writes, names).enumerated().map { index, written in
            "unnest($\(index + 12)::\(ElementType.of(written.0).sqlName)[]) AS \(written.1)"
        }
        let values = zip(writes, names).map { column, name in
            ElementType.of(column).isExact
                ? "\(column.quoted) = \(own)u.\(name)" : "\(column.quoted) = \(own)u.\(name)::\(column.value.name)"
        }
        var conditions = ["\(target.qualifiedKey) = \(own)u.\(own)k"]
        var places = ""
        if !mechanisms.contains(.compare) {
            // Without the mechanism the parameters are used all the same, so that they have their types.
            conditions.append("$11::tid[] IS NOT NULL")
        } else if joinsByHash {
            conditions += ["\(target.alias).xmin = \(own)u.\(own)x", "\(target.alias).ctid = ANY ($11::tid[])"]
        } else {
            conditions += ["\(target.alias).xmin = \(own)u.\(own)x", "\(target.alias).ctid = \(own)u.\(own)t"]
            places = "unnest($11::tid[]) AS \(own)t, "
        }
        let type = target.keyType.sqlName
        return """
            WITH \(own)fence AS MATERIALIZED (\(fence)),
            \(own)changed AS (
                UPDATE ONLY \(target.table) SET \(values.joined(separator: ", "))
                FROM (SELECT unnest($9::\(type)[]) AS \(own)k, unnest($10::xid[]) AS \(own)x,
                        \(places)\(arrays.joined(separator: ", "))
                    FROM \(own)fence LIMIT cardinality($9::\(type)[])) AS \(own)u
                WHERE \(conditions.joined(separator: " AND "))
                RETURNING \(target.qualifiedKey) AS \(own)k
            ), \(own)count AS MATERIALIZED (
                SELECT count(*) AS \(own)n FROM \(own)changed
            ), \(own)left AS MATERIALIZED (
                SELECT ARRAY(SELECT \(own)d FROM unnest(s.deferred) AS \(own)d WHERE \(own)d <> ALL ($8::text[]))
                    || CASE WHEN \(own)n = cardinality($9::\(type)[]) THEN '{}'::text[]
                       ELSE ARRAY(SELECT \(own)k::text FROM unnest($9::\(type)[]) AS \(own)k
                                  EXCEPT SELECT \(own)k::text FROM \(own)changed) END AS \(own)deferred
                FROM \(own)count, \(own)fence JOIN coord.shard AS s ON s.run_id = $1::bigint AND s.id = $2::int
            )
            UPDATE coord.shard AS s SET
                \(advance("CASE WHEN $6::text IS NULL THEN s.checkpoint ELSE ARRAY[$6::text] END"))
                deferred = \(own)deferred,
                rows_done = s.rows_done + \(own)n,
                failures = 0, error = NULL,
                state = CASE WHEN $7::boolean AND \(own)deferred = '{}' THEN 'done' ELSE s.state END
            FROM \(own)left, \(own)count
            WHERE s.run_id = $1::bigint AND s.id = $2::int
            RETURNING s.checkpoint[1], s.sequence, s.rows_done, s.state = 'done', s.deferred, \(own)n
            """
    }

    // MARK: - Parts

    /// Takes the shard's row for this transaction. No row comes where the lease is not the shard's any more, or where
    /// this batch was counted already.
    private var fence: String {
        let lease =
            mechanisms.contains(.fence)
            ? " AND s.epoch = $3::bigint AND s.owner = $4::uuid AND s.sequence = $5::bigint AND s.state = 'running'"
            : " AND COALESCE($3::bigint, $5::bigint) IS NOT NULL AND COALESCE($4::uuid) IS NOT NULL"
        return "SELECT s.id FROM coord.shard AS s WHERE s.run_id = $1::bigint AND s.id = $2::int\(lease) "
            + "FOR NO KEY UPDATE"
    }

    /// With an open end, the last row that there is now bounds a batch.
    private func lastKey(above lower: String?) -> String {
        let key = target.qualifiedKey
        let condition = lower.map { " WHERE \($0)" } ?? ""
        return "(SELECT \(key) FROM ONLY \(target.table)\(condition) ORDER BY \(key) DESC LIMIT 1)"
    }

    private func advance(_ checkpoint: String) -> String {
        // Without the mechanism the parameters are used all the same, so that they have their types.
        mechanisms.contains(.checkpoint)
            ? "checkpoint = \(checkpoint), sequence = s.sequence + 1,"
            : "checkpoint = CASE WHEN \(checkpoint) IS NULL THEN s.checkpoint ELSE s.checkpoint END,"
    }

    private var readColumns: String {
        guard case .compute(let read, _) = target.change else { preconditionFailure("a set job reads nothing") }
        let columns =
            ["\(target.qualifiedKey)", "\(target.alias).xmin", "\(target.alias).ctid"]
            + read.map { "\(target.alias).\($0.quoted)" }
        return columns.enumerated().map { "\($0.element) AS \(own)c\($0.offset)" }.joined(separator: ", ")
    }
}
