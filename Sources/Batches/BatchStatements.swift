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
    /// The batch is refused unless the table is the one that the run was made for.
    package static let binding = Mechanisms(rawValue: 8)
    /// The stretch that is under way is kept in the ledger.
    package static let stretch = Mechanisms(rawValue: 16)
    package static let all: Mechanisms = [.fence, .checkpoint, .compare, .binding, .stretch]
}

/// The statements that advance a shard, made once for a run.
///
/// Every batch is one statement, so one round trip and one transaction that no client can leave open: fence, rows and
/// checkpoint together. A statement that the fence refuses returns no row, and has changed none, since both the rows'
/// and the shard's update hang on the fence's row.
///
/// Parameters $1 to $5 are the same in all that write: run, shard, epoch, owner, sequence.
///
/// The job's own expressions stand in the same statement, and are looked up along the run's `search_path`. So every
/// function, type and operator of coord's own is named with its schema: nobody who may create functions in a schema of
/// that path can put one under coord's words.
public struct BatchStatements: Sendable {
    public let target: Target
    /// The ledger's schema, quoted.
    public let ledger: String
    let mechanisms: Mechanisms
    /// What the statements' own names begin with, which no table of that name can collide with.
    let own: String

    /// - Parameter ledger: the ledger's schema, quoted.
    public init(target: Target, ledger: String = "coord") {
        self.init(target: target, ledger: ledger, mechanisms: .all)
    }

    package init(target: Target, ledger: String = "coord", mechanisms: Mechanisms) {
        self.target = target
        self.ledger = ledger
        self.mechanisms = mechanisms
        own = target.alias.contains("coord_") ? "own_" : "coord_"
    }

    // MARK: - Parts

    static let equal = "OPERATOR(pg_catalog.=)"
    static let above = "OPERATOR(pg_catalog.>)"
    static let upTo = "OPERATOR(pg_catalog.<=)"
    static let int8 = "pg_catalog.int8"
    static let text = "pg_catalog.text"
    static let texts = "pg_catalog.text[]"

    /// The key as one term.
    var key: String { target.key.row(of: target.alias) }
    var keyOrder: String { target.key.order(of: target.alias) }
    /// The key's columns as they are named in parts of a statement.
    var keyLabels: [String] { target.key.labels("\(own)k") }
    /// The key's columns under these names, for a SELECT list.
    var selectedKey: String { target.key.selected(of: target.alias, as: keyLabels) }

    /// Compared with a bound, whose terms are a column each.
    func keyIsAbove(_ bound: [String]) -> String { target.key.compared(">", bound, target.alias) }
    func keyIsUpTo(_ bound: [String]) -> String { target.key.compared("<=", bound, target.alias) }

    /// The bounds of a range, as the first parameters that a statement has for it.
    struct Bounds {
        /// The condition of the lower end; nil where it is open.
        var lower: String?
        /// The terms of the upper end; nil where it is open.
        var upper: [String]?
        /// The number of the next parameter.
        var next: Int
    }

    /// - Parameter first: the number of the first parameter. Each end that is there has one for each column of the key.
    func bounds(from first: Int, hasLower: Bool, hasUpper: Bool) -> Bounds {
        let afterLower = first + (hasLower ? target.key.count : 0)
        return Bounds(
            lower: hasLower ? keyIsAbove(target.key.parameters(from: first)) : nil,
            upper: hasUpper ? target.key.parameters(from: afterLower) : nil,
            next: afterLower + (hasUpper ? target.key.count : 0))
    }

    /// The first part of a statement that writes. Its only use is its place: the table is named, so locked, before the
    /// fence looks at what it is; nobody can exchange it in between.
    var tableLock: String { "\(own)table AS (SELECT FROM ONLY \(target.table) LIMIT 0)" }

    /// Takes the shard's row for this transaction. No row comes where the lease is not the shard's any more, where this
    /// batch was counted already, or where the table is not the one that the run was made for.
    var fence: String {
        let equal = Self.equal
        var conditions = ["s.run_id \(equal) $1::\(Self.int8)", "s.id \(equal) $2::pg_catalog.int4"]
        if mechanisms.contains(.fence) {
            conditions += [
                "s.epoch \(equal) $3::\(Self.int8)", "s.owner \(equal) $4::pg_catalog.uuid",
                "s.sequence \(equal) $5::\(Self.int8)", "s.state \(equal) 'running'::\(Self.text)",
            ]
        } else {
            // Without the mechanism the parameters are used all the same, so that they have their types.
            conditions.append("COALESCE($3::\(Self.int8), $5::\(Self.int8)) IS NOT NULL")
            conditions.append("COALESCE($4::pg_catalog.uuid) IS NOT NULL")
        }
        if mechanisms.contains(.binding) { conditions.append(binding) }
        return "SELECT s.id FROM \(ledger).shard AS s WHERE \(conditions.joined(separator: " AND ")) FOR NO KEY UPDATE"
    }

    /// Whether the name still means the table of the run, its columns are the same, and nothing has come that hides
    /// rows from an update. The name's part is a constant of the plan, which is made anew when the table is renamed or
    /// dropped; the rest reads a few rows of the catalogue for each batch.
    private var binding: String {
        let equal = Self.equal
        let columns = target.bound.map { column in
            "WHEN a.attnum \(equal) \(column.number) THEN a.attname \(equal) \(Self.literal(column.name))::pg_catalog.name "
                + "AND a.atttypid \(equal) \(column.type)::pg_catalog.oid"
        }
        let numbers = Set(target.bound.map(\.number)).sorted()
        let list = numbers.map { "\($0)" }.joined(separator: ",")
        return """
            \(Self.literal(target.table))::pg_catalog.regclass::pg_catalog.oid \(equal) \(target.oid)::pg_catalog.oid
                AND (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute AS a
                     WHERE a.attrelid \(equal) \(target.oid)::pg_catalog.oid
                        AND a.attnum \(equal) ANY ('{\(list)}'::pg_catalog.int2[])
                        AND CASE \(columns.joined(separator: " ")) END) \(equal) \(numbers.count)::\(Self.int8)
                AND EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid \(equal) \(target.oid)::pg_catalog.oid
                    AND NOT pg_catalog.row_security_active(c.oid)
                    AND (NOT c.relhassubclass OR NOT EXISTS
                        (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhparent \(equal) c.oid))
                    AND (NOT c.relhasrules OR NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite AS r
                        WHERE r.ev_class \(equal) c.oid AND r.ev_type \(equal) '2'::pg_catalog."char")))
            """
    }

    /// A text as SQL writes it, whatever `standard_conforming_strings` is: the sessions pin it to on.
    public static func literal(_ text: String) -> String {
        var quoted = "'"
        for scalar in text.unicodeScalars {
            if scalar == "'" { quoted.unicodeScalars.append("'") }
            quoted.unicodeScalars.append(scalar)
        }
        return quoted + "'"
    }

    /// With an open end, the last row that there is now bounds a batch.
    ///
    /// - Returns: a term for each column of the key.
    func lastKey(above lower: String?) -> [String] {
        let condition = lower.map { " WHERE \($0)" } ?? ""
        let order = target.key.order(of: target.alias, descending: true)
        return target.key.names(of: target.alias).map { name in
            "(SELECT \(name) FROM ONLY \(target.table)\(condition) ORDER BY \(order) LIMIT 1)"
        }
    }

    func advance(_ checkpoint: String) -> String {
        // Without the mechanism the parameters are used all the same, so that they have their types.
        mechanisms.contains(.checkpoint)
            ? "checkpoint = \(checkpoint), sequence = s.sequence OPERATOR(pg_catalog.+) 1,"
            : "checkpoint = CASE WHEN \(checkpoint) IS NULL THEN s.checkpoint ELSE s.checkpoint END,"
    }

    /// The shard's row, as the update at the end of each statement finds it.
    var shardRow: String {
        "s.run_id \(Self.equal) $1::\(Self.int8) AND s.id \(Self.equal) $2::pg_catalog.int4"
    }

    /// What remains deferred of what was, without the keys of the parameter that this batch has seen to.
    func stillDeferred(without parameter: String) -> String {
        """
        ARRAY(SELECT \(own)d FROM pg_catalog.unnest(s.deferred) AS \(own)d
              WHERE \(own)d OPERATOR(pg_catalog.<>) ALL (\(parameter)::\(Self.texts)))
        """
    }

    // MARK: - Where a shard stands

    /// The least key, above $1 when `hasLower`.
    func firstKey(hasLower: Bool) -> String {
        let condition = hasLower ? " WHERE \(keyIsAbove(target.key.parameters(from: 1)))" : ""
        return "SELECT \(selectedKey) FROM ONLY \(target.table)\(condition) ORDER BY \(keyOrder) LIMIT 1"
    }

    /// The first key of a range that is not done in key order; nil where there is none.
    package func firstKey(behind cursor: Cursor, _ range: KeyRange, _ connection: PostgresConnection) throws -> Key? {
        try firstKey(above: cursor.checkpoint ?? range.after, connection)
    }

    /// The least key above another; nil where there is none.
    package func firstKey(above lower: Key?, _ connection: PostgresConnection) throws -> Key? {
        var parameters = PostgresParameters()
        if let lower { target.key.append(lower, to: &parameters) }
        let name = "coord_first_\(lower == nil ? 0 : 1)"
        let result = try connection.executePrepared(name, firstKey(hasLower: lower != nil), parameters)
        return result.rows == 1 ? target.key.key(result, 0) : nil
    }

    /// Whether a checkpoint lies where it can: behind the lower bound and not above the upper one.
    ///
    /// Parameters: $1 checkpoint, $2 lower, $3 upper bound, as arrays of texts or null. Returns one boolean; fails where one
    /// is no value of the key's type.
    var checkPosition: String {
        func value(_ number: Int) -> String { target.key.value(ofArray: "$\(number)::\(Self.texts)") }
        return """
            SELECT pg_catalog.cardinality($1::\(Self.texts)) \(Self.equal) \(target.key.count)
                AND (\(value(1)) \(Self.above) \(value(2))) IS NOT FALSE AND (\(value(1)) \(Self.upTo) \(value(3))) IS NOT FALSE
            """
    }

    /// A deferred key that cannot be one, as it has another number of columns; nil where all can.
    package func misfit(in position: Position) -> Key? { position.deferred.first { !target.key.fits($0) } }

    /// Whether a shard that stands at a cursor can go on in an order of work.
    ///
    /// - Parameter comb: nil for the key's order, in which no stretch is ever under way.
    package func suits(_ cursor: Cursor, _ comb: Comb?) -> Bool {
        guard let stretch = cursor.stretch else { return true }
        return comb.map { stretch.stripe < $0.stripes } ?? false
    }

    /// Whether all keys of a cursor lie where they can.
    /// - Throws: a data exception where one is no key.
    package func isInRange(_ cursor: Cursor, _ range: KeyRange, _ connection: PostgresConnection) throws -> Bool {
        func lies(_ key: Key?, _ after: Key?, _ through: Key?) throws -> Bool {
            guard let key else { return true }
            return try connection.execute(checkPosition, [key, after, through].map { $0?.literal }).bool(0, 0) ?? false
        }
        let start = cursor.checkpoint ?? range.after
        guard try lies(cursor.checkpoint, range.after, range.through) else { return false }
        guard let stretch = cursor.stretch else { return true }
        return try lies(stretch.end, start, range.through) && lies(stretch.last, start, stretch.end)
    }

    /// Whether nothing of the range lies behind the cursor: then only what was deferred is left.
    package func isExhausted(_ cursor: Cursor, _ range: KeyRange) -> Bool {
        guard let through = range.through else { return false }
        return cursor.stretch == nil && cursor.checkpoint == through
    }

    /// Those of some keys whose rows nobody holds at this moment. Parameters: $1 on the keys, an array a column. Run it alone: its
    /// locks last no longer.
    var freeRows: String {
        """
        SELECT \(selectedKey) FROM ONLY \(target.table) WHERE \(target.key.isAmong(arraysFrom: 1, target.alias))
        FOR NO KEY UPDATE OF \(target.alias) SKIP LOCKED
        """
    }

    /// Who holds the rows of some keys at this moment, and since when: one row a key whose row is there, in their order.
    ///
    /// Parameters: $1 on the keys, an array a column. Returns key, pid, user, application, client address, state, seconds of its transaction. The pid
    /// is null where nobody holds the row, several do, or a prepared transaction does. Nothing is locked.
    var heldRows: String {
        let equal = Self.equal
        let labels = keyLabels.map { "\(own)row.\($0)" }.joined(separator: ", ")
        return """
            SELECT \(labels), \(own)who.pid, \(own)who.usename, \(own)who.application_name, \(own)who.client_addr,
                \(own)who.state, pg_catalog.round(pg_catalog.date_part('epoch',
                    pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) \(own)who.xact_start)::pg_catalog.numeric, 0)
            FROM (SELECT \(selectedKey), \(target.alias).xmax AS \(own)x FROM ONLY \(target.table)
                  WHERE \(target.key.isAmong(arraysFrom: 1, target.alias)) ORDER BY \(keyOrder)) AS \(own)row
            LEFT JOIN LATERAL (
                SELECT a.pid, a.usename, a.application_name, a.client_addr, a.state, a.xact_start
                FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid \(equal) l.pid
                WHERE l.locktype \(equal) 'transactionid'::\(Self.text) AND l.granted
                    AND l.transactionid \(equal) \(own)row.\(own)x LIMIT 1
            ) AS \(own)who ON true
            """
    }
}
