import Sharding

// Batches that a program computes: read, then write.
extension BatchStatements {
    /// Settings under which the write's join is planned. They hold for that statement alone.
    ///
    /// Without triggers, one hash table of the values joins them to the rows, which takes about 8 % less time. With
    /// triggers, the join goes row by row, since the settings also hold for the triggers' queries: their joins by hash
    /// may scan a whole table for each row.
    public var writeSettings: String {
        let (wanted, refused) =
            joinsByHash ? ("enable_hashjoin", "enable_nestloop") : ("enable_nestloop", "enable_hashjoin")
        var settings = [
            (refused, "off"), (wanted, "on"), ("enable_mergejoin", "off"), ("enable_seqscan", "off"),
            ("enable_bitmapscan", "off"), ("enable_tidscan", "on"), ("enable_indexscan", "on"),
        ]
        if joinsByHash { settings.append(("work_mem", "16MB")) }
        return "SELECT "
            + settings.map { "pg_catalog.set_config('\($0.0)', '\($0.1)', true)" }.joined(separator: ", ")
    }

    /// Whether a hash joins the arrays to the rows.
    private var joinsByHash: Bool { !target.hasUpdateTriggers }

    /// Reads the next rows of the range: key, xmin, ctid and the columns to read.
    ///
    /// Parameters: $1 lower bound when `hasLower`, then upper bound when `hasUpper`, one for each column of the key, then the
    /// limit in rows. With a predicate, one more: how many keys the read may look at, so that a predicate that few rows meet
    /// cannot make one read scan a whole shard; the first columns then are the key where the look ended, the others are null
    /// when no row was found.
    public func read(hasLower: Bool, hasUpper: Bool) -> String {
        let bounds = bounds(from: 1, hasLower: hasLower, hasUpper: hasUpper)
        let (lower, end) = (bounds.lower, bounds.upper)
        let limit = "$\(bounds.next)"
        let range = [lower, end.map(keyIsUpTo)].compactMap { $0 }
        let filter = range.isEmpty ? "" : "WHERE " + range.joined(separator: " AND ")
        guard let predicate = target.predicate else {
            return """
                SELECT \(readColumns) FROM ONLY \(target.table) \(filter)
                ORDER BY \(keyOrder) LIMIT \(limit)::\(Self.int8)
                """
        }
        let window = "$\(bounds.next + 1)"
        let stop = target.key.labels("\(own)stop")
        let last = end ?? lastKey(above: lower)
        let stops = zip(zip(keyLabels, last), stop).map { "COALESCE(\(own)nth.\($0.0), \($0.1)) AS \($1)" }
        let conditions = [lower, keyIsUpTo(stop.map { "\(own)window.\($0)" }), "(\(predicate)\n)"].compactMap { $0 }
        return """
            SELECT \(keyLabels.map { "\(own)window.\($0)" }.joined(separator: ", ")), \(own)rows.*
            FROM (
                SELECT \(own)nth.*, \(stops.joined(separator: ", "))
                FROM (SELECT \(own)row.* FROM (SELECT 1) AS \(own)one LEFT JOIN LATERAL (
                    SELECT \(selectedKey) FROM ONLY \(target.table) \(filter)
                    ORDER BY \(keyOrder) OFFSET \(window)::\(Self.int8) LIMIT 1) AS \(own)row ON true OFFSET 0) AS \(own)nth
                OFFSET 0
            ) AS \(own)window LEFT JOIN LATERAL (
                SELECT \(readColumns) FROM ONLY \(target.table) WHERE \(conditions.joined(separator: " AND "))
                ORDER BY \(keyOrder) LIMIT \(limit)::\(Self.int8)
            ) AS \(own)rows ON true
            """
    }

    /// Reads deferred rows again by key. Parameters: from $1 on the keys, one array for each column. `locking` keeps
    /// the rows from changing until the commit.
    public func readDeferred(locking: Bool) -> String {
        let predicate = target.predicate.map { " AND (\($0)\n)" } ?? ""
        return """
            SELECT \(readColumns) FROM ONLY \(target.table)
            WHERE \(target.key.isAmong(arraysFrom: 1, target.alias))\(predicate)
            ORDER BY \(keyOrder)\(locking ? " FOR NO KEY UPDATE OF \(target.alias)" : "")
            """
    }

    /// Writes a computed batch.
    ///
    /// Parameters: $6 to $9 the new cursor (checkpoint, end of the stretch, stripe, key in the stripe); $10 whether the
    /// range is exhausted; $11 the deferred keys that this batch has read again (text[]); from $12 on the keys, one
    /// array for each column; then the rows' xmin and ctid as read; the number of deferred rows that the database does
    /// not change; then one array for each written column. Returns the cursor, sequence, rows_done, done, deferred, the
    /// number of changed rows, and with `aroundHeld` the keys of the rows that nobody held.
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
    ///
    /// - Parameter aroundHeld: leave out rows that somebody holds; their keys are deferred.
    public func write(aroundHeld: Bool = false) -> String {
        let equal = Self.equal
        let labels = keyLabels
        let text = target.key.text(of: labels)
        var held = ""
        var returned = ""
        var condition: String?
        if aroundHeld {
            held = """
                \(own)locked AS MATERIALIZED (
                    SELECT \(own)row.* FROM \(own)fence CROSS JOIN LATERAL (
                        SELECT \(selectedKey) FROM ONLY \(target.table)
                        WHERE \(own)fence.id IS NOT NULL AND \(target.alias).ctid \(equal) ANY (\(written.places))
                        FOR NO KEY UPDATE OF \(target.alias) SKIP LOCKED) AS \(own)row
                ),
                """
            condition = target.key.isAmong("\(own)locked", labels, target.alias)
            returned = ", ARRAY(SELECT \(text) FROM \(own)locked)"
        }
        return """
            WITH \(tableLock), \(own)fence AS MATERIALIZED (\(fence)),
            \(held) \(own)changed AS (
                \(update(from: "\(own)fence", extra: condition))
                RETURNING \(selectedKey)
            ), \(own)count AS MATERIALIZED (
                SELECT pg_catalog.count(*) AS \(own)n FROM \(own)changed
            ), \(own)left AS MATERIALIZED (
                SELECT \(stillDeferred(without: "$11")) OPERATOR(pg_catalog.||)
                    CASE WHEN \(own)n \(equal) pg_catalog.cardinality(\(written.keys[0]))::\(Self.int8) THEN '{}'::\(Self.texts)
                    ELSE ARRAY(SELECT \(text) FROM (SELECT \(target.key.unnested(from: Self.firstKeyArray, as: labels))) AS \(own)all
                               EXCEPT SELECT \(text) FROM \(own)changed) END AS \(own)deferred
                FROM \(own)count, \(own)fence
            )
            \(advance(
                from: "\(own)left, \(own)count", to: CursorTerms(from: 6), changed: "\(own)n",
                unchanged: written.unchanged, deferred: "\(own)deferred", exhausted: "$10::pg_catalog.bool",
                returning: "\(own)n\(returned)"))
            """
    }

    /// Number of the first parameter of `write` that holds keys.
    private static let firstKeyArray = 12

    /// Parameters of `write` behind the fence's and the shard's.
    private var written: (keys: [String], versions: String, places: String, unchanged: String, values: Int) {
        let next = Self.firstKeyArray + target.key.count
        return (
            target.key.arrays(from: Self.firstKeyArray), "$\(next)::pg_catalog.xid[]", "$\(next + 1)::pg_catalog.tid[]",
            "$\(next + 2)::\(Self.int8)", next + 3
        )
    }

    /// The write's change of the table without the ledger, for a look at its plan before a ledger exists. The plan
    /// fails on rules, rights and publications that forbid the write. Parameters as those of `write`.
    public func writeAlone() -> String {
        """
        WITH \(own)changed AS (\(update(from: "(SELECT 1) AS \(own)one", extra: nil)) RETURNING 1)
        SELECT pg_catalog.count(*) FROM \(own)changed
        WHERE COALESCE(\((1..<Self.firstKeyArray).map { "$\($0)::\(Self.text)" }.joined(separator: ", "))) IS NULL AND \(written.unchanged) IS NULL
        """
    }

    private func update(from source: String, extra: String?) -> String {
        guard case .compute(_, let writes) = target.change else { preconditionFailure("a set job writes no arrays") }
        let equal = Self.equal
        let written = written
        let names = writes.indices.map { "\(own)v\($0)" }
        let arrays = zip(writes, names).enumerated().map { index, value in
            "pg_catalog.unnest($\(written.values + index)::\(ValueForm.of(value.0).elementName)[]) AS \(value.1)"
        }
        let values = zip(writes, names).map { column, name in
            if case .converted(let type) = ValueForm.of(column) { return "\(column.quoted) = \(own)u.\(name)::\(type)" }
            return "\(column.quoted) = \(own)u.\(name)"
        }
        var conditions = zip(target.key.names(of: target.alias), keyLabels).map { "\($0) \(equal) \(own)u.\($1)" }
        if let extra { conditions.append(extra) }
        var places = ""
        if !mechanisms.contains(.compare) {
            // Without the mechanism, a condition that always holds uses the parameters, so that they have types.
            conditions.append("\(written.places) IS NOT NULL")
        } else if joinsByHash {
            conditions += [
                "\(target.alias).xmin \(equal) \(own)u.\(own)x",
                "\(target.alias).ctid \(equal) ANY (\(written.places))",
            ]
        } else {
            conditions += [
                "\(target.alias).xmin \(equal) \(own)u.\(own)x", "\(target.alias).ctid \(equal) \(own)u.\(own)t",
            ]
            places = "pg_catalog.unnest(\(written.places)) AS \(own)t, "
        }
        return """
            UPDATE ONLY \(target.table) SET \(values.joined(separator: ", "))
            FROM (SELECT \(target.key.unnested(from: Self.firstKeyArray, as: keyLabels)), pg_catalog.unnest(\(written.versions)) AS \(own)x,
                    \(places)\(arrays.joined(separator: ", "))
                FROM \(source) LIMIT pg_catalog.cardinality(\(written.keys[0]))) AS \(own)u
            WHERE \(conditions.joined(separator: " AND "))
            """
    }

    private var readColumns: String {
        guard case .compute(let read, _) = target.change else { preconditionFailure("a set job reads nothing") }
        let columns =
            target.key.names(of: target.alias) + ["\(target.alias).xmin", "\(target.alias).ctid"]
            + read.map { "\(target.alias).\($0.quoted)" }
        return columns.enumerated().map { "\($0.element) AS \(own)c\($0.offset)" }.joined(separator: ", ")
    }
}
