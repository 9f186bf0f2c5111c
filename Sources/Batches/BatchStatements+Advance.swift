import Sharding

// The end of each statement that writes.
extension BatchStatements {
    /// SQL for the parts of a cursor.
    struct CursorTerms {
        /// Null for the checkpoint that the shard has.
        var checkpoint: String
        var stretchEnd = "NULL::\(BatchStatements.texts)"
        var stripe = "NULL::pg_catalog.int4"
        var stripeKey = "NULL::\(BatchStatements.texts)"

        init(checkpoint: String) { self.checkpoint = checkpoint }

        /// The cursor in four parameters.
        init(from number: Int) {
            checkpoint = "$\(number)::\(BatchStatements.texts)"
            stretchEnd = "$\(number + 1)::\(BatchStatements.texts)"
            stripe = "$\(number + 2)::pg_catalog.int4"
            stripeKey = "$\(number + 3)::\(BatchStatements.texts)"
        }
    }

    /// Advances the shard by a batch, if the fence has let it through.
    ///
    /// By functions, the ledger's proves the lease anew, and fails where it finds another, so that nothing is committed then.
    ///
    /// - Parameters:
    ///   - source: the parts of the statement that have one row, or none where the fence refused. One of the terms must
    ///     name a column of it: otherwise the server may call the function before it looks at them.
    ///   - cursor: where the shard stands then; nil for where it stands.
    ///   - changed: SQL for the number of changed rows. It has the server change them before the call.
    ///   - deferred: SQL for all deferred keys then; nil for those that there are.
    ///   - exhausted: SQL for whether nothing of the range is left behind the cursor.
    ///   - columns: further columns of the answer.
    func advance(
        from source: String, shard: String = "$2::pg_catalog.int4", to cursor: CursorTerms?, changed: String,
        unchanged: String = "0::\(Self.int8)", deferred: String?, exhausted: String, returning columns: String
    ) -> String {
        if changesTables {
            return update(
                from: source, to: cursor, changed: changed, unchanged: unchanged, deferred: deferred,
                exhausted: exhausted, returning: columns)
        }
        let to = cursor ?? CursorTerms(checkpoint: "NULL::\(Self.texts)")
        var stretch = [to.stretchEnd, to.stripe, to.stripeKey]
        // Without the mechanism the parameters are used all the same, so that they have their types.
        if !mechanisms.contains(.stretch) { stretch = stretch.map { "CASE WHEN \($0) IS NULL THEN \($0) END" } }
        let terms =
            [cursor == nil ? "false" : "true", to.checkpoint] + stretch
            + [changed, unchanged, deferred ?? "NULL::\(Self.texts)", exhausted]
        var advanced = "\(ledger).advance(\(proof(shard: shard)), \(terms.joined(separator: ", ")))"
        if !mechanisms.contains(.checkpoint) {
            let used = terms.map { "(\($0))::\(Self.text)" }.joined(separator: ", ")
            advanced = """
                LATERAL (SELECT s.* FROM \(ledger).shard AS s
                    WHERE s.run_id \(Self.equal) $1::\(Self.int8) AND s.id \(Self.equal) $2::pg_catalog.int4
                        AND (COALESCE(\(used)) IS NULL OR true))
                """
        }
        return """
            SELECT \(standing), s.deferred, \(columns)
            FROM \(source), \(advanced) AS s
            """
    }

    /// The same as a change of the shard's row, which the fence has locked.
    private func update(
        from source: String, to cursor: CursorTerms?, changed: String, unchanged: String, deferred: String?,
        exhausted: String, returning columns: String
    ) -> String {
        let left = deferred ?? "s.deferred"
        let moves =
            cursor.map { to in
                """
                checkpoint = COALESCE(\(to.checkpoint), s.checkpoint), stretch_end = \(to.stretchEnd),
                    stripe = \(to.stripe), stripe_key = \(to.stripeKey),
                """
            } ?? ""
        return """
            UPDATE \(ledger).shard AS s SET \(moves)
                sequence = s.sequence OPERATOR(pg_catalog.+) 1, rows_done = s.rows_done OPERATOR(pg_catalog.+) \(changed),
                rows_unchanged = s.rows_unchanged OPERATOR(pg_catalog.+) \(unchanged), failures = 0, error = NULL,
                deferred = \(left),
                state = CASE WHEN \(exhausted) AND pg_catalog.cardinality(\(left)) \(Self.equal) 0 THEN 'done' ELSE s.state END
            FROM \(source)
            WHERE \(shardRow)
            RETURNING \(standing), s.deferred, \(columns)
            """
    }

    /// Where the shard stands, as every statement that writes returns it: the cursor, sequence, rows_done, done.
    private var standing: String {
        """
        s.checkpoint AS \(own)checkpoint, s.stretch_end, s.stripe, s.stripe_key, s.sequence AS \(own)sequence,
                s.rows_done AS \(own)rows, s.state \(Self.equal) 'done'::\(Self.text) AS \(own)done
        """
    }
}
