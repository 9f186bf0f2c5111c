import Sharding

/// The figures of a table's storage in a run's row: `{"begin": …, "last": …, "counted": …, "term": …}`.
struct StorageColumns {
    /// The figures in a JSON document as columns: of the run's beginning, of the last measurement, and the counts.
    static func list(of document: String) -> String {
        [
            Moment.list("begin", of: "\(document) -> 'begin'"), Moment.list("last", of: "\(document) -> 'last'"),
            Self.counts.map { "(\(document) -> 'counted' ->> '\($0)')::bigint AS counted_\($0)" }.joined(
                separator: ", "),
        ].joined(separator: ", ")
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

    /// The document for a run's row.
    static func document(_ change: StorageChange, term: Int64) -> String {
        let counted = change.counted
        let counts = [counted.updates, counted.hotUpdates, counted.walBytes, counted.rowsDone]
        return "{\"begin\": \(Moment.object(change.begin)), \"last\": \(Moment.object(change.last)), "
            + "\"counted\": \(object(Self.counts, counts)), \"term\": \(term)}"
    }

    private static let counts = ["updates", "hot", "wal", "rows"]

    private static func object(_ names: [String], _ values: [Int64]) -> String {
        "{" + zip(names, values).map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}"
    }

    private let begin: Moment
    private let last: Moment
    private let counted: [LedgerColumn<Int64>]

    init(_ columns: LedgerColumns) throws(LedgerError) {
        begin = try Moment("begin", columns)
        last = try Moment("last", columns)
        var found: [LedgerColumn<Int64>] = []
        for name in Self.counts { found.append(try columns("counted_\(name)")) }
        counted = found
    }

    /// Nil if nothing was measured.
    func change(_ row: LedgerRow) throws(LedgerError) -> StorageChange? {
        guard let begin = try begin.figures(row), let last = try last.figures(row) else { return nil }
        var counts: [Int64] = []
        for column in counted { if let count = try row.optional(column) { counts.append(count) } }
        guard counts.count == Self.counts.count else { return StorageChange(begin: begin, last: last) }
        return StorageChange(
            begin: begin, last: last,
            counted: StorageCounts(
                updates: counts[0], hotUpdates: counts[1], walBytes: counts[2], rowsDone: counts[3]))
    }

    /// The figures of one moment.
    struct Moment {
        private static let names = ["heap", "indexes", "updates", "hot", "wal", "rows"]
        private let columns: [LedgerColumn<Int64>]

        /// The members of a JSON object as columns.
        static func list(_ moment: String, of object: String) -> String {
            names.map { "(\(object) ->> '\($0)')::bigint AS \(moment)_\($0)" }.joined(separator: ", ")
        }

        fileprivate static func object(_ figures: StorageFigures) -> String {
            StorageColumns.object(
                names,
                [
                    figures.heapBytes, figures.indexBytes, figures.updates, figures.hotUpdates, figures.walBytes,
                    figures.rowsDone,
                ])
        }

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
