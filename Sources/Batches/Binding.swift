public import Postgres
public import Sharding

/// The binding of a run: its table's OID, and number, name, type and collation of each column that the job knows. The name
/// alone would not do: another table may have it tomorrow.
public enum Binding {
    /// Reads the binding of a target, as JSON for the ledger.
    public static func record(of target: Target, _ connection: PostgresConnection) throws -> String {
        let result = try connection.execute(
            """
            SELECT pg_catalog.jsonb_build_object('oid', $1::pg_catalog.oid::pg_catalog.int8, 'key', $3::pg_catalog.int2[], 'columns', (
                SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('number', attnum, 'name', attname,
                    'type', atttypid::pg_catalog.int8, 'collation', attcollation::pg_catalog.int8, 'is_key', attnum = ANY ($3::pg_catalog.int2[]), 'type_name', pg_catalog.format_type(atttypid, atttypmod)))
                FROM pg_catalog.pg_attribute
                WHERE attrelid = $1::pg_catalog.oid AND attnum = ANY ($2::pg_catalog.int2[])))::pg_catalog.text
            """, ["\(target.oid)", list(target.bound), list(target.key.columns)])
        return result.text(0, 0) ?? "{}"
    }

    /// The reason why a run cannot go on with its table; nil when it can.
    ///
    /// - Parameters:
    ///   - recorded: what `record` gave when the run was made.
    ///   - table: the table's name as the run knows it, quoted and with its schema.
    public static func fault(_ recorded: String, table: String, _ connection: PostgresConnection) throws
        -> BindingFault?
    {
        let result = try connection.execute(check, [recorded, table])
        let (named, bound) = (result.int(0, 1), result.int(0, 2) ?? 0)
        guard result.bool(0, 0) == true else {
            return BindingFault(
                .table,
                named == nil
                    ? "the table \(table) is gone"
                    : "\(table) is another table now (oid \(named ?? 0)): the one that the run was made for (oid \(bound)) is gone",
                mend: nil)
        }
        let now = result.text(0, 3) ?? "?"
        if named != bound {
            return BindingFault(
                .table,
                named == nil
                    ? "the table \(table) is named \(now) now"
                    : "\(table) is another table now (oid \(named ?? 0)): the one that the run was made for (oid \(bound)) is "
                        + "named \(now)",
                mend: "give the table its name back")
        }
        if result.bool(0, 4) != true {
            return BindingFault(.table, "\(table) is no ordinary table any more", mend: nil)
        }
        if result.bool(0, 5) == true {
            return BindingFault(
                .hidden, "row security hides rows of \(table) from this role now: they would be skipped in silence",
                mend: "work as the table's owner or as a role with BYPASSRLS, or switch row security off")
        }
        if result.bool(0, 6) == true {
            return BindingFault(
                .hidden, "\(table) has child tables now, whose rows the run would skip in silence", mend: "detach them")
        }
        if let rule = result.text(0, 7) {
            return BindingFault(
                .hidden, "the rule \(rule) on \(table) changes what an UPDATE does", mend: "drop the rule")
        }
        for row in 0..<result.rows {
            if let fault = columnFault(result, row, table) { return fault }
        }
        return nil
    }

    /// The reason why a run cannot go on with its job's present key; nil when its ranges are of that key.
    ///
    /// A job that names no key has the table's primary key, which somebody may have replaced since.
    public static func keyFault(_ recorded: String, _ target: Target, _ connection: PostgresConnection) throws
        -> BindingFault?
    {
        let result = try connection.execute(
            """
            SELECT pg_catalog.array_agg(number ORDER BY place) = $2::pg_catalog.int2[], pg_catalog.string_agg(name, ', ' ORDER BY place)
            FROM (
                SELECT k.number, k.name, pg_catalog.array_position(
                    -- Records of earlier versions have no list of the key's columns: it was one.
                    CASE WHEN $1::pg_catalog.jsonb ? 'key' THEN ARRAY(
                        SELECT n::pg_catalog.int2 FROM pg_catalog.jsonb_array_elements_text($1::pg_catalog.jsonb -> 'key') AS n
                    ) ELSE ARRAY[k.number] END, k.number) AS place
                FROM pg_catalog.jsonb_to_recordset($1::pg_catalog.jsonb -> 'columns')
                    AS k(number pg_catalog.int2, name pg_catalog.text, is_key pg_catalog.bool)
                WHERE k.is_key
            ) AS key
            """, [recorded, list(target.key.columns)])
        guard result.bool(0, 0) == false else { return nil }
        return BindingFault(
            .column,
            "the key of \(target.table) is \(target.key.quoted) now, and the run's ranges are of (\(result.text(0, 1) ?? "?"))",
            mend: "give the table its key back", concernsKey: true)
    }

    private static func list(_ columns: [Target.Column]) -> String {
        "{\(columns.map { "\($0.number)" }.joined(separator: ","))}"
    }

    /// The table's present state in the first eight columns, then a bound column: one row for each of them.
    private static let check = """
        SELECT c.oid IS NOT NULL, pg_catalog.to_regclass($2)::pg_catalog.oid::pg_catalog.int8, b.oid,
            pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), c.relkind = 'r',
            c.oid IS NOT NULL AND pg_catalog.row_security_active(c.oid),
            EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = c.oid),
            (SELECT pg_catalog.min(r.rulename::pg_catalog.text) FROM pg_catalog.pg_rewrite AS r
             WHERE r.ev_class = c.oid AND r.ev_type = '2'),
            k.name, a.attname, COALESCE(a.attisdropped, true), k.type_name,
            pg_catalog.format_type(a.atttypid, a.atttypmod), a.atttypid::pg_catalog.int8 = k.type,
            k.name = a.attname::pg_catalog.text, COALESCE(k.is_key, false),
            -- Records of earlier versions have no collation.
            NOT k.is_key OR a.attcollation::pg_catalog.int8 = COALESCE(k."collation", a.attcollation::pg_catalog.int8),
            (SELECT l.collname FROM pg_catalog.pg_collation AS l WHERE l.oid = a.attcollation),
            (SELECT l.collname FROM pg_catalog.pg_collation AS l WHERE l.oid::pg_catalog.int8 = k."collation")
        FROM (SELECT ($1::pg_catalog.jsonb ->> 'oid')::pg_catalog.int8 AS oid) AS b
        LEFT JOIN pg_catalog.pg_class AS c ON c.oid = b.oid::pg_catalog.oid
        LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        LEFT JOIN pg_catalog.jsonb_to_recordset($1::pg_catalog.jsonb -> 'columns')
            AS k(number pg_catalog.int2, name pg_catalog.text, type pg_catalog.int8, type_name pg_catalog.text,
                "collation" pg_catalog.int8, is_key pg_catalog.bool) ON true
        LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number
        ORDER BY k.number
        """

    private static func columnFault(_ result: PostgresResult, _ row: Int, _ table: String) -> BindingFault? {
        // A record without columns.
        guard let name = result.text(row, 8) else { return nil }
        if result.bool(row, 10) == true {
            return BindingFault(.column, "column \(name) of \(table) is gone", mend: nil)
        }
        if result.bool(row, 14) != true {
            return BindingFault(
                .column, "column \(name) of \(table) is named \(result.text(row, 9) ?? "?") now",
                mend: "give the column its name back")
        }
        if result.bool(row, 13) != true {
            return BindingFault(
                .type,
                "column \(name) of \(table) has the type \(result.text(row, 12) ?? "?") now, it had "
                    + "\(result.text(row, 11) ?? "?") when the run was made",
                mend: nil, concernsKey: result.bool(row, 15) ?? false)
        }
        if result.bool(row, 16) == false {
            return BindingFault(
                .type,
                "the key's column \(name) of \(table) has the collation \(result.text(row, 17) ?? "?") now, it had "
                    + "\(result.text(row, 18) ?? "another") when the run was made: the run's ranges are in another order",
                mend: nil, concernsKey: true)
        }
        return nil
    }
}

/// The change of a table that stops a run.
public struct BindingFault: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: Sendable, Equatable {
        /// Another table, or none.
        case table
        /// Another column, or none.
        case column
        /// A column of another type: a run that is taken up again can go on with it.
        case type
        /// Rows are hidden from the run's updates.
        case hidden
    }

    public var kind: Kind
    public var message: String
    /// The remedy after which the run goes on as before.
    public var mend: String?
    /// Whether the key itself has another type, and so possibly another order.
    public var concernsKey: Bool

    public init(_ kind: Kind, _ message: String, mend: String?, concernsKey: Bool = false) {
        self.concernsKey = concernsKey
        self.kind = kind
        self.message = message
        self.mend = mend
    }

    public var description: String { message }

    /// The two ways to go on with a run.
    public func ways(run: RunID) -> String {
        let back =
            mend.map { "\($0), then: coord resume \(run)" }
            ?? (kind == .type && !concernsKey ? "coord resume \(run)   goes on with the column as it is now" : nil)
        return [back, "coord start FILE --new   cancels run \(run) and begins anew with the present table"]
            .compactMap { $0 }.joined(separator: "\n  ")
    }
}
