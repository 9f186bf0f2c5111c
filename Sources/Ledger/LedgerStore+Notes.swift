import Postgres
public import Sharding

// What a coordinator notes of its run while it owns it.
extension LedgerStore {
    /// Notes what the run is bound to from now on, and what its workers do.
    ///
    /// - Parameters:
    ///   - binding: what key and columns are, as JSON.
    ///   - specification: the resolved job, as JSON.
    public func bind(_ ownership: Ownership, tableOID: UInt32, binding: String, specification: String) throws {
        try connection.execute(
            """
            UPDATE \(ledger).run SET table_oid = $4::oid, binding = $5::jsonb, specification = $6::jsonb
            WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint
            """, ownership.parameters + ["\(tableOID)", binding, specification])
    }

    /// Gives the run's key space an end where it has none, as in runs of earlier versions.
    /// - Returns: whether it had none.
    public func fixEnd(at end: Key, _ ownership: Ownership) throws -> Bool {
        try transaction {
            let run = try connection.execute(
                """
                UPDATE \(ledger).run SET end_key = $4::text[]
                WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint AND end_key IS NULL
                """, ownership.parameters + [end.literal])
            guard run.affected == 1 else { return false }
            try connection.execute(
                """
                UPDATE \(ledger).shard SET through_key = $2::text[]
                WHERE run_id = $1::bigint AND through_key IS NULL AND state <> 'done'
                """, [ownership.run.description, end.literal])
            return true
        }
    }

    /// Ends the only shard of a run whose table was empty when its plan was made.
    public func endEmpty(_ run: RunID) throws {
        try connection.execute(
            "UPDATE \(ledger).shard SET state = 'done' WHERE run_id = $1::bigint AND through_key IS NULL",
            [run.description]
        )
    }

    /// Notes that a timeout has made batches smaller, for whoever takes the run over next.
    public func noteBatchRows(_ rows: Int, _ ownership: Ownership) throws {
        try connection.execute(
            """
            UPDATE \(ledger).run SET batch_rows = LEAST(COALESCE(batch_rows, $4::int), $4::int)
            WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint
            """, ownership.parameters + ["\(rows)"])
    }

    /// Rows of a run whose update the database suppressed.
    public func unchangedRows(of run: RunID) throws -> Int64 {
        try connection.execute(
            "SELECT COALESCE(sum(rows_unchanged), 0)::bigint FROM \(ledger).shard WHERE run_id = $1::bigint",
            [run.description]
        ).int(0, 0) ?? 0
    }

    /// Counts what came above the run's last key while it was under way.
    public func noteRowsAbove(_ rows: Int64, of run: RunID) throws {
        try connection.execute(
            "UPDATE \(ledger).run SET rows_above = $2::bigint WHERE id = $1::bigint", [run.description, "\(rows)"])
    }
}
