import Postgres
import Sharding

/// The safety mechanisms of a batch. Only tests may switch one off, to prove that it is needed.
package struct Mechanisms: OptionSet, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
    /// The checkpoint moves in the batch's own transaction.
    package static let checkpoint = Mechanisms(rawValue: 2)
    /// A row that changed since it was read is left alone.
    package static let compare = Mechanisms(rawValue: 4)
    /// The batch is refused unless the table is the one that the run was made for.
    package static let binding = Mechanisms(rawValue: 8)
    /// The ledger keeps the stretch under way.
    package static let stretch = Mechanisms(rawValue: 16)
    package static let all: Mechanisms = [.checkpoint, .compare, .binding, .stretch]
}

/// The statements that advance a run's shards. They are made once.
///
/// Every batch is one statement with fence, rows and checkpoint, so it is one round trip and one transaction that no
/// client can leave open. If the fence refuses, the statement returns no row and has changed none: the update of the
/// rows and the shard's advance both depend on the fence's row.
///
/// Fence and advance are functions of the ledger, so a worker's role needs no right to change the ledger's tables.
///
/// Parameters $1 to $5 are the same in all statements that write: run, shard, epoch, owner, sequence.
///
/// The job's expressions stand in the same statement and use the run's `search_path`. So coord names each of its
/// functions, types and operators with the schema: a foreign function in that path cannot take their place.
public struct BatchStatements: Sendable {
    public let target: Target
    /// The ledger's schema, quoted.
    public let ledger: String
    let mechanisms: Mechanisms
    private let access: LedgerAccess
    /// The prefix of the statements' own names, chosen so that no table's name collides with them.
    let own: String

    /// - Parameter ledger: the ledger's schema, quoted.
    public init(target: Target, ledger: String = "coord") {
        self.init(target: target, ledger: ledger, mechanisms: .all)
    }

    package init(
        target: Target, ledger: String = "coord", mechanisms: Mechanisms, access: LedgerAccess = .functions
    ) {
        self.access = access
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

    /// The key as one SQL term.
    var key: String { target.key.row(of: target.alias) }
    var keyOrder: String { target.key.order(of: target.alias) }
    /// The names of the key's columns within parts of a statement.
    var keyLabels: [String] { target.key.labels("\(own)k") }
    /// The key's columns under these names, for a SELECT list.
    var selectedKey: String { target.key.selected(of: target.alias, as: keyLabels) }

    /// The comparison with a bound, which has one term for each column.
    func keyIsAbove(_ bound: [String]) -> String { target.key.compared(">", bound, target.alias) }
    func keyIsUpTo(_ bound: [String]) -> String { target.key.compared("<=", bound, target.alias) }

    /// The bounds of a range, as parameters of a statement.
    struct Bounds {
        /// The condition of the lower end; nil for an open end.
        var lower: String?
        /// The terms of the upper end; nil for an open end.
        var upper: [String]?
        /// The number of the next parameter.
        var next: Int
    }

    /// - Parameter first: the number of the first parameter. Each closed end has one parameter for each column of the
    ///   key.
    func bounds(from first: Int, hasLower: Bool, hasUpper: Bool) -> Bounds {
        let afterLower = first + (hasLower ? target.key.count : 0)
        return Bounds(
            lower: hasLower ? keyIsAbove(target.key.parameters(from: first)) : nil,
            upper: hasUpper ? target.key.parameters(from: afterLower) : nil,
            next: afterLower + (hasUpper ? target.key.count : 0))
    }

    /// The first part of a statement that writes. Naming the table locks it before the fence looks at it, so that
    /// nobody can exchange the table in between.
    var tableLock: String { "\(own)table AS (SELECT FROM ONLY \(target.table) LIMIT 0)" }

    /// Locks the shard's row for this transaction. It returns no row if the shard has another lease, if this batch was
    /// counted already, or if the table is not the run's.
    ///
    /// Both ways look at the row's newest version. The binding is checked here and not there, since it asks
    /// what hides rows from this role.
    var fence: String {
        let binding = mechanisms.contains(.binding) ? " AND \(binding)" : ""
        if changesTables {
            return """
                SELECT s.id, s.deferred FROM \(ledger).shard AS s
                WHERE \(shardRow) AND s.epoch \(Self.equal) $3::\(Self.int8) AND s.owner \(Self.equal) $4::pg_catalog.uuid
                    AND s.sequence \(Self.equal) $5::\(Self.int8) AND s.state \(Self.equal) 'running'::\(Self.text)\(binding)
                FOR NO KEY UPDATE
                """
        }
        return "SELECT f.id, f.deferred FROM \(ledger).fence(\(proof())) AS f WHERE f.id IS NOT NULL\(binding)"
    }

    /// Whether the statements change the ledger's tables themselves. A batch that lacks one of these mechanisms is a test's.
    var changesTables: Bool { access == .tables && mechanisms.isSuperset(of: [.checkpoint, .stretch]) }

    /// The condition that finds the shard's row.
    var shardRow: String {
        "s.run_id \(Self.equal) $1::\(Self.int8) AND s.id \(Self.equal) $2::pg_catalog.int4"
    }

    /// What proves to the ledger's functions that the lease is the shard's: run, shard, epoch, owner, sequence.
    ///
    /// - Parameter shard: SQL for the shard's number.
    func proof(shard: String = "$2::pg_catalog.int4") -> String {
        "$1::\(Self.int8), \(shard), $3::\(Self.int8), $4::pg_catalog.uuid, $5::\(Self.int8)"
    }

    /// Whether the name still means the run's table, the columns are the same, and nothing hides rows from an update.
    /// The table's OID is a constant of the plan, and a rename or a drop makes the plan anew. The rest reads a few rows
    /// of the catalogue for each batch.
    private var binding: String {
        let equal = Self.equal
        let columns = target.bound.map { column in
            "WHEN a.attnum \(equal) \(column.number) THEN a.attname \(equal) \(Self.literal(column.name))::pg_catalog.name "
                + "AND a.atttypid \(equal) \(column.type)::pg_catalog.oid" + order(of: column)
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

    /// The condition that a column of the key has the collation by which the ranges were cut.
    private func order(of column: Target.Column) -> String {
        guard let part = target.key.parts.first(where: { $0.column.number == column.number }),
            let collation = part.collation
        else { return "" }
        return
            " AND a.attcollation \(Self.equal) pg_catalog.to_regcollation(\(Self.literal(collation)))::pg_catalog.oid"
    }

    /// A text as an SQL literal. It relies on `standard_conforming_strings`, which the sessions pin to on.
    public static func literal(_ text: String) -> String {
        var quoted = "'"
        for scalar in text.unicodeScalars {
            if scalar == "'" { quoted.unicodeScalars.append("'") }
            quoted.unicodeScalars.append(scalar)
        }
        return quoted + "'"
    }

    /// The bound of a batch in a range with an open end: the last present row.
    ///
    /// - Returns: one term for each column of the key.
    func lastKey(above lower: String?) -> [String] {
        let condition = lower.map { " WHERE \($0)" } ?? ""
        let order = target.key.order(of: target.alias, descending: true)
        return target.key.names(of: target.alias).map { name in
            "(SELECT \(name) FROM ONLY \(target.table)\(condition) ORDER BY \(order) LIMIT 1)"
        }
    }

    /// The deferred keys without the keys in the parameter, which this batch has handled.
    func stillDeferred(without parameter: String) -> String {
        """
        ARRAY(SELECT \(own)d FROM pg_catalog.unnest(\(own)fence.deferred) AS \(own)d
              WHERE \(own)d OPERATOR(pg_catalog.<>) ALL (\(parameter)::\(Self.texts)))
        """
    }

    // MARK: - Where a shard stands

    /// The least key, above $1 when `hasLower`.
    func firstKey(hasLower: Bool) -> String {
        let condition = hasLower ? " WHERE \(keyIsAbove(target.key.parameters(from: 1)))" : ""
        return "SELECT \(selectedKey) FROM ONLY \(target.table)\(condition) ORDER BY \(keyOrder) LIMIT 1"
    }

    /// The first key of a range that is not done in key order; nil if there is none.
    package func firstKey(behind cursor: Cursor, _ range: KeyRange, _ connection: PostgresConnection) throws -> Key? {
        try firstKey(above: cursor.checkpoint ?? range.after, connection)
    }

    /// The least key above another; nil if there is none.
    package func firstKey(above lower: Key?, _ connection: PostgresConnection) throws -> Key? {
        var parameters = PostgresParameters()
        if let lower { target.key.append(lower, to: &parameters) }
        let name = "coord_first_\(lower == nil ? 0 : 1)"
        let result = try connection.executePrepared(name, firstKey(hasLower: lower != nil), parameters)
        return result.rows == 1 ? target.key.key(result, 0) : nil
    }

    /// Whether a checkpoint is possible: above the lower bound and not above the upper bound.
    ///
    /// Parameters: $1 checkpoint, $2 lower, $3 upper bound, as arrays of texts or null. Returns one boolean; fails for
    /// a text that is no value of the key's type.
    var checkPosition: String {
        func value(_ number: Int) -> String { target.key.value(ofArray: "$\(number)::\(Self.texts)") }
        return """
            SELECT pg_catalog.cardinality($1::\(Self.texts)) \(Self.equal) \(target.key.count)
                AND (\(value(1)) \(Self.above) \(value(2))) IS NOT FALSE AND (\(value(1)) \(Self.upTo) \(value(3))) IS NOT FALSE
            """
    }

    /// A deferred key with a wrong number of columns; nil if there is none.
    package func misfit(in position: Position) -> Key? { position.deferred.first { !target.key.fits($0) } }

    /// Whether a shard that stands at a cursor can go on in an order of work.
    ///
    /// - Parameter comb: nil for the key's order, in which no stretch is ever under way.
    package func suits(_ cursor: Cursor, _ comb: Comb?) -> Bool {
        guard let stretch = cursor.stretch else { return true }
        return comb.map { stretch.stripe < $0.stripes } ?? false
    }

    /// Whether all keys of a cursor are possible in the range.
    /// - Throws: a data exception for a text that is no key.
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

    /// Whether nothing of the range is left behind the cursor. Then only deferred rows may be left.
    package func isExhausted(_ cursor: Cursor, _ range: KeyRange) -> Bool {
        guard let through = range.through else { return false }
        return cursor.stretch == nil && cursor.checkpoint == through
    }

    /// Finds the keys whose rows are free at this moment. Parameters: from $1 on the keys, one array for each column.
    /// Run it alone, so that its locks end with it.
    var freeRows: String {
        """
        SELECT \(selectedKey) FROM ONLY \(target.table) WHERE \(target.key.isAmong(arraysFrom: 1, target.alias))
        FOR NO KEY UPDATE OF \(target.alias) SKIP LOCKED
        """
    }

    /// Finds the sessions that hold the rows of some keys at this moment: one result row for each key that has a row,
    /// in the keys' order.
    ///
    /// Parameters: from $1 on the keys, one array for each column. Returns key, pid, user, application, client address,
    /// state, and the seconds of the transaction. The pid is null if nobody holds the row, several sessions do, or a
    /// prepared transaction does. It locks nothing.
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
