import Sharding

/// The figures of a table's storage in a run's row.
struct StorageColumns {
    /// The figures in a JSON document as columns, for the run's beginning and for the last measurement.
    static func list(of document: String) -> String {
        ["begin", "last"].flatMap { moment in
            Moment.names.map { "(\(document) -> '\(moment)' ->> '\($0)')::bigint AS \(moment)_\($0)" }
        }.joined(separator: ", ")
    }

    /// The present figures as a JSON object. Parameters: $1 the run, $2 the OID of its table.
    static func measured(_ ledger: String) -> String {
        """
        SELECT jsonb_build_object('heap', pg_relation_size(c.oid), 'indexes', pg_indexes_size(c.oid),
            'updates', pg_stat_get_tuples_updated(c.oid), 'hot', pg_stat_get_tuples_hot_updated(c.oid),
            'wal', (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint,
            'rows', (SELECT COALESCE(sum(s.rows_done), 0)::bigint FROM \(ledger).shard AS s WHERE s.run_id = $1::bigint))
            AS figures
        FROM pg_class AS c WHERE c.oid = $2::oid
        """
    }

    private let begin: Moment
    private let last: Moment

    init(_ columns: LedgerColumns) throws(LedgerError) {
        begin = try Moment("begin", columns)
        last = try Moment("last", columns)
    }

    /// Nil if nothing was measured.
    func change(_ row: LedgerRow) throws(LedgerError) -> StorageChange? {
        guard let begin = try begin.figures(row), let last = try last.figures(row) else { return nil }
        return StorageChange(begin: begin, last: last)
    }

    private struct Moment {
        static let names = ["heap", "indexes", "updates", "hot", "wal", "rows"]
        private let columns: [LedgerColumn<Int64>]

        init(_ moment: String, _ columns: LedgerColumns) throws(LedgerError) {
            var found: [LedgerColumn<Int64>] = []
            for name in Self.names { found.append(try columns("\(moment)_\(name)")) }
            self.columns = found
        }

        func figures(_ row: LedgerRow) throws(LedgerError) -> StorageFigures? {
            var values: [Int64] = []
            for column in columns {
                guard let value = try row.optional(column) else { return nil }
                values.append(value)
            }
            return StorageFigures(
                heapBytes: values[0], indexBytes: values[1], updates: values[2], hotUpdates: values[3],
                walBytes: values[4], rowsDone: values[5])
        }
    }
}
