import Batches
import Job
import Ledger
import Postgres
import Sharding

/// A job's table as the catalogue describes it.
struct Catalogue {
    struct Column {
        var target: Target.Column
        var number: Int
        var notNull: Bool
        var generated: Bool
        var identityAlways: Bool
        var updatable: Bool
        var readable: Bool
        /// Whether PostgreSQL may keep the column's values outside the row's page, since they may be long.
        var toastable: Bool
        /// The collation, quoted with its schema; nil if the type has none.
        var collation: String?
    }

    var oid: UInt32
    var table: String
    var alias: String
    var columns: [Column]
    /// Names of the primary key's columns.
    var primaryKey: [String]
    /// The columns, in order, of each valid, unconditional unique index that keeps the rows in the key's order.
    var uniqueKeys: [[String]]
    /// The statistics' number of rows, scaled by the table's growth since then; nil for a table that was never
    /// analysed.
    var rows: Int64?
    var bytes: Int64
    /// Whether the table has a primary key that is deferrable, and so not listed.
    var hasDeferrableKey: Bool
    /// Whether the role may read the rows' xmin and ctid.
    var versionsReadable: Bool
    /// Whether some values are kept outside the rows' pages.
    var isToasted: Bool
    /// Whether the application's triggers fire for updates.
    var hasUpdateTriggers: Bool

    /// - Parameters:
    ///   - resolved: the table's quoted name with its schema, if it is known already.
    ///   - searchPath: the search path for a name without a schema; nil for the session's.
    ///   - ledger: the ledger's schema, whose tables no job may change.
    static func read(
        _ name: TableName, resolved: String? = nil, searchPath: String? = nil, ledger: LedgerSchema,
        _ connection: PostgresConnection
    ) throws -> Catalogue {
        let oid = try connection.withSearchPath(searchPath) {
            try connection.execute(
                """
                SELECT pg_catalog.to_regclass(COALESCE($3::pg_catalog.text, CASE WHEN $1::pg_catalog.text IS NULL THEN ''
                    ELSE pg_catalog.quote_ident($1::pg_catalog.text) OPERATOR(pg_catalog.||) '.' END
                    OPERATOR(pg_catalog.||) pg_catalog.quote_ident($2::pg_catalog.text)))::pg_catalog.oid
                """, [name.schema, name.name, resolved]
            ).text(0, 0)
        }
        guard let oid else { throw try missing(name, connection) }
        let result = try connection.execute(
            """
            SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), quote_ident(c.relname), c.relkind,
                row_security_active(c.oid), EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid),
                CASE WHEN c.reltuples > 0 AND c.relpages > 0 AND c.relkind = 'r' THEN (c.reltuples / c.relpages
                    * (pg_relation_size(c.oid) / current_setting('block_size')::bigint))::bigint END,
                pg_table_size(c.oid), n.nspname = $2::name OR n.nspname LIKE 'pg\\_%' OR
                    n.nspname = 'information_schema',
                CASE WHEN c.relkind = 'r' THEN has_column_privilege(c.oid, 'xmin', 'SELECT')
                    AND has_column_privilege(c.oid, 'ctid', 'SELECT') END,
                EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary AND NOT indimmediate),
                pg_relation_size(c.reltoastrelid) > 0,
                (SELECT min(r.rulename::text) FROM pg_rewrite AS r WHERE r.ev_class = c.oid AND r.ev_type = '2'),
                EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
                    AND t.tgenabled <> 'D' AND t.tgtype & 16 <> 0)
            FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = $1::oid
            """, [oid, ledger.name])
        guard result.rows == 1 else { throw try missing(name, connection) }
        func text(_ column: Int) -> String { result.text(0, column) ?? "" }
        let kinds = [
            "v": "a view", "m": "a materialized view", "f": "a foreign table", "p": "a partitioned table",
            "S": "a sequence", "i": "an index", "c": "a composite type",
        ]
        if let kind = kinds[text(3)] {
            let mend =
                text(3) == "p" ? "name one of its partitions in the job" : "name the ordinary table behind it"
            throw PreflightError(.job, "\(name) is \(kind): only ordinary tables can be changed", mend: mend)
        }
        if text(8) == "t" {
            throw PreflightError(.job, "\(name) belongs to the system or to coord's own ledger", mend: nil)
        }
        if text(5) == "t" {
            throw PreflightError(
                .job, "\(name) has child tables, whose rows a job on the parent would skip",
                mend: "run one job for each table")
        }
        if text(4) == "t" {
            throw PreflightError(
                .permission, "row security hides rows of \(name) from this role, so they would be skipped in silence",
                mend: "run as the table's owner or as a role with BYPASSRLS")
        }
        if text(3) == "r", let rule = result.text(0, 12) {
            throw PreflightError(
                .job, "the rule \(rule) on \(name) changes what an UPDATE does, also where coord does it",
                mend: "drop the rule, or put a trigger in its place")
        }
        let number = UInt32(result.int(0, 0) ?? 0)
        let keys = try uniqueIndexes(number, connection)
        return Catalogue(
            oid: number, table: text(1), alias: text(2), columns: try columns(number, connection),
            primaryKey: keys.first { $0.isPrimary }?.columns ?? [],
            uniqueKeys: keys.filter(\.isOrdered).map(\.columns),
            rows: result.int(0, 6), bytes: result.int(0, 7) ?? 0, hasDeferrableKey: result.bool(0, 10) ?? false,
            versionsReadable: result.bool(0, 9) ?? false, isToasted: result.bool(0, 11) ?? false,
            hasUpdateTriggers: result.bool(0, 13) ?? false)
    }

    private static func missing(_ name: TableName, _ connection: PostgresConnection) throws -> PreflightError {
        let near = try connection.execute(
            """
            SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p') AND lower(c.relname) = lower($1) AND n.nspname NOT LIKE 'pg\\_%' LIMIT 3
            """, [name.name])
        let names = (0..<near.rows).compactMap { near.text($0, 0) }
        let database = try connection.execute("SELECT current_database(), session_user")
        let place = "in database \(database.text(0, 0) ?? "?") for role \(database.text(0, 1) ?? "?")"
        return PreflightError(
            .job, "there is no table \(name) \(place)",
            mend: names.isEmpty
                ? "check the name, and that the connection goes to the right database"
                : "there is \(names.joined(separator: ", ")): name it with its schema, and quote capitals")
    }

    private static func columns(_ oid: UInt32, _ connection: PostgresConnection) throws -> [Column] {
        // Domains are resolved to their base types, also in the elements of arrays.
        let result = try connection.execute(
            """
            WITH RECURSIVE value AS (
                SELECT a.attnum, t.oid, t.typtype, t.typbasetype FROM pg_catalog.pg_attribute AS a
                JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
                WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
                UNION ALL
                SELECT value.attnum, t.oid, t.typtype, t.typbasetype
                FROM value JOIN pg_catalog.pg_type AS t ON t.oid = value.typbasetype WHERE value.typtype = 'd'
            ), element AS (
                SELECT value.attnum, e.oid, e.typtype, e.typbasetype, e.typdelim
                FROM value JOIN pg_catalog.pg_type AS t ON t.oid = value.oid AND value.typtype <> 'd'
                JOIN pg_catalog.pg_type AS e ON e.oid = t.typelem AND e.typarray = t.oid
                UNION ALL
                SELECT element.attnum, e.oid, e.typtype, e.typbasetype, element.typdelim
                FROM element JOIN pg_catalog.pg_type AS e ON e.oid = element.typbasetype WHERE element.typtype = 'd'
            )
            SELECT a.attname, pg_catalog.quote_ident(a.attname), a.attnum, a.atttypid,
                pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated <> '', a.attidentity = 'a',
                pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'UPDATE'),
                pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT'),
                a.attlen = -1 AND a.attstorage <> 'p', t.oid,
                pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.typname), e.oid,
                pg_catalog.ascii(COALESCE(e.typdelim, ',')::pg_catalog.text), t.typarray <> 0,
                EXISTS (SELECT FROM pg_catalog.pg_cast WHERE castsource = 25 AND casttarget = t.oid),
                (SELECT pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(c.collname)
                 FROM pg_catalog.pg_collation AS c JOIN pg_catalog.pg_namespace AS cn ON cn.oid = c.collnamespace
                 WHERE c.oid = a.attcollation)
            FROM pg_catalog.pg_attribute AS a
            JOIN value AS v ON v.attnum = a.attnum AND v.typtype <> 'd'
            JOIN pg_catalog.pg_type AS t ON t.oid = v.oid
            JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
            LEFT JOIN element AS e ON e.attnum = a.attnum AND e.typtype <> 'd'
            WHERE a.attrelid = $1::oid ORDER BY a.attnum
            """, ["\(oid)"])
        return (0..<result.rows).map { row in
            Column(
                target: Target.Column(
                    name: result.text(row, 0) ?? "", number: Int(result.int(row, 2) ?? 0),
                    quoted: result.text(row, 1) ?? "",
                    type: UInt32(result.int(row, 3) ?? 0), typeName: result.text(row, 4) ?? "",
                    value: ValueType(
                        base: UInt32(result.int(row, 11) ?? 0), name: result.text(row, 12) ?? "",
                        element: result.int(row, 13).map { UInt32($0) },
                        delimiter: UInt8(clamping: result.int(row, 14) ?? 44), hasArray: result.bool(row, 15) ?? false,
                        hasTextCast: result.bool(row, 16) ?? false)),
                number: Int(result.int(row, 2) ?? 0), notNull: result.bool(row, 5) ?? false,
                generated: result.bool(row, 6) ?? false, identityAlways: result.bool(row, 7) ?? false,
                updatable: result.bool(row, 8) ?? false, readable: result.bool(row, 9) ?? false,
                toastable: result.bool(row, 10) ?? false, collation: result.text(row, 17))
        }
    }

    /// A unique index.
    private struct UniqueIndex {
        var columns: [String]
        var isPrimary: Bool
        /// Whether the index has the order of its columns' types and collations, in one direction: `ORDER BY a, b` can
        /// use it.
        var isOrdered: Bool
    }

    private static func uniqueIndexes(_ oid: UInt32, _ connection: PostgresConnection) throws -> [UniqueIndex] {
        let result = try connection.execute(
            """
            SELECT i.indexrelid, i.indisprimary, a.attname,
                i.indcollation[k.o - 1] = a.attcollation AND i.indoption[k.o - 1] & 1 = i.indoption[0] & 1
                    AND (SELECT opcdefault FROM pg_opclass WHERE oid = i.indclass[k.o - 1])
            FROM pg_index AS i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(n, o)
            LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.n AND k.n > 0
            WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND k.o <= i.indnkeyatts
                AND i.indimmediate
            ORDER BY i.indexrelid, k.o
            """, ["\(oid)"])
        var indexes: [Int64: UniqueIndex] = [:]
        var order: [Int64] = []
        for row in 0..<result.rows {
            let number = result.int(row, 0) ?? 0
            if indexes[number] == nil { order.append(number) }
            // An index expression has no column.
            let column = result.text(row, 2)
            indexes[number, default: UniqueIndex(columns: [], isPrimary: result.bool(row, 1) ?? false, isOrdered: true)]
                .columns.append(column ?? "")
            if column == nil || result.bool(row, 3) != true { indexes[number]?.isOrdered = false }
        }
        return order.compactMap { indexes[$0] }
    }

    /// The columns that the job's SQL mentions. The search is textual, so a name that means something else there counts
    /// too.
    func mentioned(in change: Target.Change, predicate: String?) -> [Column] {
        var texts = [predicate ?? ""]
        if case .set(let assignments) = change { texts += assignments.map(\.expression) }
        let text = texts.joined(separator: " ").lowercased()
        // A reference to the whole row, as in `row_to_json(orders)`.
        let everything = text.contains(alias.lowercased().filter { $0 != "\"" }) || text.contains(".*")
        return columns.filter { everything || text.contains($0.target.name.lowercased()) }
    }

    /// SQL for the stored bytes of the long values that the expressions read or write; nil when there are none. The
    /// search for them is textual, so a name that means something else there counts too.
    func width(of change: Target.Change, predicate: String?) -> String? {
        guard case .set(let assignments) = change else { return nil }
        let named = mentioned(in: change, predicate: predicate).map(\.number)
        let long = columns.filter { column in
            column.toastable && column.readable
                && (named.contains(column.number) || assignments.contains { $0.column.number == column.number })
        }
        // pg_column_size neither fetches nor decompresses a value: it gives the stored size.
        let sizes = long.map { "COALESCE(pg_column_size(\(alias).\($0.target.quoted)), 0)" }
        return sizes.isEmpty ? nil : "(\(sizes.joined(separator: " + ")))"
    }

    func column(_ name: String, for purpose: String, table: TableName) throws -> Column {
        if let found = columns.first(where: { $0.target.name.isExactly(name) }) { return found }
        let same = columns.first { $0.target.name.lowercased() == name.lowercased() }
        let names = columns.map(\.target.quoted).joined(separator: ", ")
        throw PreflightError(
            .job, "\(purpose): there is no column \(name) in \(table)",
            mend: same.map { "there is \($0.target.quoted)" } ?? "it has: \(names)")
    }
}
