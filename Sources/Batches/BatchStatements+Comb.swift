import Sharding

// Batches of a stretch that is done stripe by stripe.
extension BatchStatements {
    /// SQL for the stripe of a row, from 0. It depends only on the key, and on no setting of the session.
    func stripe(_ comb: Comb) -> String {
        "pg_catalog.abs(pg_catalog.mod(\(stripeNumber(comb.rule)), \(comb.stripes)::\(Self.int8)))"
    }

    /// SQL for the number whose remainder is the stripe of a row.
    package func stripeNumber(_ rule: Comb.Rule) -> String {
        let columns = target.key.names(of: target.alias)
        let number: String
        switch rule {
        case .remainder: number = "\(columns[columns.count - 1])::\(Self.int8)"
        case .hash:
            let hashes = columns.map { "pg_catalog.hash_array(ARRAY[\($0)])::\(Self.int8)" }
            // The hashes of the columns become one number, without an overflow.
            number = hashes.dropFirst().reduce(hashes[0]) { sum, hash in
                "pg_catalog.int8pl(pg_catalog.int8mul(pg_catalog.mod(\(sum), 1099511627776), 31), \(hash))"
            }
        }
        return number
    }

    /// Looks at the keys of a stretch.
    ///
    /// Parameters: from $1 on the lower bound when `hasLower`, then the upper bound when `hasUpper`, one for each
    /// column of the key; then the limit in keys; with `ofStripe`, the number of the one wanted stripe.
    /// Returns the key and its stripe, in the key's order. The stripe is null where the job's condition leaves the row alone.
    func look(_ comb: Comb, hasLower: Bool, hasUpper: Bool, ofStripe: Bool) -> String {
        let bounds = bounds(from: 1, hasLower: hasLower, hasUpper: hasUpper)
        let stripe = stripe(comb)
        var conditions = [bounds.lower, bounds.upper.map(keyIsUpTo)].compactMap { $0 }
        if ofStripe { conditions.append("\(stripe) \(Self.equal) $\(bounds.next + 1)::\(Self.int8)") }
        let filter = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        let value = target.predicate.map { "CASE WHEN (\($0)\n) THEN \(stripe) END" } ?? stripe
        return """
            SELECT \(selectedKey), \(value) AS \(own)stripe FROM ONLY \(target.table) \(filter)
            ORDER BY \(keyOrder) LIMIT $\(bounds.next)::\(Self.int8)
            """
    }

    /// One batch of a `set` job, with the rows of given keys.
    ///
    /// Parameters: from $6 on the keys, one array for each column; then the cursor behind these keys (checkpoint, end
    /// of the stretch, stripe, key in the stripe); then whether the range is exhausted. Returns the same columns as
    /// `apply`.
    ///
    /// The statement finds each row by the key's index, in the order of the key. On such a visit the server also frees
    /// the room of row versions that earlier stripes have left on the page. A scan by ctid would not do that.
    ///
    /// - Parameter aroundHeld: leave out rows that somebody holds, and defer their keys.
    func applyKeys(aroundHeld: Bool = false) -> String {
        guard case .set(let assignments) = target.change else { preconditionFailure("a compute job has no expression") }
        let predicate = target.predicate.map { " AND (\($0)\n)" } ?? ""
        let values = assignments.map { "\($0.column.quoted) = (\($0.expression)\n)" }.joined(separator: ", ")
        let next = 6 + target.key.count
        let cursor = CursorTerms(from: next)
        let exhausted = "$\(next + 4)::pg_catalog.bool"
        var held = ""
        var wanted = target.key.isAmong(arraysFrom: 6, of: "\(own)fence", target.alias)
        var deferred: String?
        if aroundHeld {
            held =
                lockable(from: "\(own)fence", where: target.key.isAmong(arraysFrom: 6, target.alias) + predicate) + ","
            wanted = target.key.isAmong("\(own)locked", keyLabels, target.alias)
            deferred = "\(own)fence.deferred OPERATOR(pg_catalog.||) \(heldKeys)"
        }
        return """
            WITH \(tableLock), \(own)fence AS MATERIALIZED (\(fence)),
            \(held) \(own)changed AS (
                UPDATE ONLY \(target.table) SET \(values) WHERE \(wanted)\(predicate) RETURNING 1
            )
            \(advance(
                from: "\(own)fence", shard: "\(own)fence.id", to: cursor,
                changed: "(SELECT pg_catalog.count(*) FROM \(own)changed)", deferred: deferred,
                exhausted: exhausted, returning: exhausted))
            """
    }
}
