import Batches
import CoordKit
import Ledger
import Postgres
import Sharding
import Support
import Testing

extension Target {
    /// Resolves a table of the schema public in the catalogue.
    init(
        _ connection: PostgresConnection, table: String = "items", key: [String] = ["id"],
        where predicate: String? = nil,
        change: (_ column: (String) throws -> Column) throws -> Change
    ) throws {
        let relation = try connection.execute(
            """
            SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), quote_ident(c.relname)
            FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.relname = $1 AND n.nspname = 'public'
            """, [table])
        let oid = try #require(relation.text(0, 0))
        func column(_ name: String) throws -> Column {
            let result = try connection.execute(
                """
                SELECT quote_ident(attname), atttypid, format_type(atttypid, atttypmod),
                    quote_ident(nspname) || '.' || quote_ident(typname), typarray <> 0,
                    (SELECT e.oid FROM pg_type AS e WHERE e.typarray = t.oid), attnum,
                    EXISTS (SELECT FROM pg_cast WHERE castsource = 25 AND casttarget = t.oid)
                FROM pg_attribute JOIN pg_type AS t ON t.oid = atttypid JOIN pg_namespace AS n ON n.oid = typnamespace
                WHERE attrelid = $1::oid AND attname = $2
                """, [oid, name])
            try #require(result.rows == 1, "no column \(name)")
            let type = UInt32(result.int(0, 1) ?? 0)
            return Column(
                name: name, number: Int(result.int(0, 6) ?? 0), quoted: result.text(0, 0) ?? "", type: type,
                typeName: result.text(0, 2) ?? "",
                value: ValueType(
                    base: type, name: result.text(0, 3) ?? "", element: result.int(0, 5).map { UInt32($0) },
                    hasArray: result.bool(0, 4) ?? false, hasTextCast: result.bool(0, 7) ?? false))
        }
        let types: [UInt32: KeyType] = [
            21: .smallint, 23: .integer, 20: .bigint, 2950: .uuid, 25: .text, 1043: .varchar,
        ]
        let schema = KeySchema(
            try key.map { name in
                let keyColumn = try column(name)
                let collation = try connection.execute(
                    "SELECT NULLIF(attcollation, 0)::regcollation FROM pg_attribute WHERE attrelid = $1::oid AND attname = $2",
                    [oid, name])
                return KeySchema.Part(
                    keyColumn, try #require(types[keyColumn.type]), collation: collation.text(0, 0))
            })
        self.init(
            oid: UInt32(relation.int(0, 0) ?? 0), table: relation.text(0, 1) ?? "", alias: relation.text(0, 2) ?? "",
            key: schema, predicate: predicate,
            change: try change(column))
    }

    static func setting(
        _ connection: PostgresConnection, table: String = "items", key: [String] = ["id"],
        _ assignments: KeyValuePairs<String, String>, where predicate: String? = nil, width: String? = nil
    ) throws -> Target {
        var target = try Target(connection, table: table, key: key, where: predicate) { column in
            .set(try assignments.map { Assignment(column: try column($0.key), expression: $0.value) })
        }
        target.width = width
        return target
    }

    static func computing(
        _ connection: PostgresConnection, table: String = "items", key: [String] = ["id"], read: [String],
        writes: [String], where predicate: String? = nil
    ) throws -> Target {
        try Target(connection, table: table, key: key, where: predicate) { column in
            .compute(read: try read.map(column), writes: try writes.map(column))
        }
    }
}

/// The rows of a read, in text form.
struct ReadRows: Sendable, Equatable {
    var windowEnd: Key?
    var keys: [Key] = []
    var xmins: [String] = []
    var ctids: [String] = []
    var values: [[String?]] = []
}

/// Runs the statements of one target as a worker does, one at a time.
struct TestBatches {
    let connection: PostgresConnection
    let statements: BatchStatements

    /// - Parameter connection: a connection set up with `PostgresSession.batches`.
    init(
        _ connection: PostgresConnection, _ target: Target, ledger: LedgerSchema = .standard,
        mechanisms: Mechanisms = .all
    ) {
        self.connection = connection
        statements = BatchStatements(target: target, ledger: ledger.quoted, mechanisms: mechanisms)
    }

    /// - Returns: nil when the fence refused the batch.
    func apply(_ shard: LeasedShard, rows: Int, bytes: Int? = nil) throws -> BatchOutcome? {
        var outcome = try SetBatch(statements, bytes: bytes).run(
            shard.fence, shard.range, behind: shard.cursor, rows: rows, connection)
        outcome?.isLast = nil
        return outcome
    }

    /// Applies batches until the shard is done, and returns their outcomes.
    func applyAll(_ shard: inout LeasedShard, rows: Int, bytes: Int? = nil, limit: Int = 1000) throws -> [BatchOutcome]
    {
        var outcomes: [BatchOutcome] = []
        while outcomes.count < limit {
            let outcome = try #require(try apply(shard, rows: rows, bytes: bytes), "the fence refused a batch")
            outcomes.append(outcome)
            shard.cursor = outcome.cursor
            shard.sequence = outcome.sequence
            if outcome.done { return outcomes }
        }
        Issue.record("not done after \(limit) batches")
        return outcomes
    }

    func read(_ shard: LeasedShard, limit: Int, window: Int = 100) throws -> ReadRows {
        let read = RangeRead(statements)
        let request = try read.range(
            shard.range, behind: shard.cursor, limit: limit, window: window, connection)
        return rows(
            try connection.executePrepared(request.name, "", request.parameters), offset: read.windowColumns)
    }

    func read(_ part: Stretch.Part) throws -> ReadRows {
        let request = try RangeRead(statements).part(part, connection)
        return rows(try connection.executePrepared(request.name, "", request.parameters), offset: 0)
    }

    func readDeferred(_ keys: [Key], locking: Bool) throws -> ReadRows {
        let request = try RangeRead(statements).deferred(keys, locking: locking, connection)
        return rows(try connection.executePrepared(request.name, "", request.parameters), offset: 0)
    }

    /// - Parameter values: an array for each written column.
    /// - Returns: nil when the fence refused the batch.
    func write(
        _ shard: LeasedShard, _ rows: ReadRows, values: [[String?]], through: Key?, cursor moved: Cursor? = nil,
        exhausted: Bool = false, deferredRead: [Key] = [], aroundHeld: Bool = false
    ) throws -> BatchOutcome? {
        var batch = RowBatch(columns: statements.target.key.systemColumns)
        for row in rows.keys.indices {
            for text in rows.keys[row].components + [rows.xmins[row], rows.ctids[row]] { batch.append(text) }
        }
        var computed = RowBatch(columns: values.count)
        for row in rows.keys.indices { for column in values { computed.append(column[row]) } }
        let summary = ReadSummary(rows: batch.rows, exhausted: exhausted)
        let cursor = moved ?? through.map { Cursor($0) } ?? shard.cursor
        var write = WriteBatch(statements)
        try write.bind(
            shard.fence,
            HeldBatch(rows: batch, cursor: cursor, summary: summary, deferred: deferredRead, locked: false), computed,
            0..<batch.rows)
        try write.prepare(aroundHeld: aroundHeld, connection)
        try connection.enterPipeline()
        let outcome = Result { [write] in
            try write.send(aroundHeld: aroundHeld, connection)
            return try write.receive(connection)
        }
        try connection.leavePipeline()
        return try outcome.get()
    }

    private func rows(_ result: PostgresResult, offset: Int) -> ReadRows {
        let schema = statements.target.key
        var rows = ReadRows()
        for row in 0..<result.rows {
            if offset > 0 { rows.windowEnd = schema.key(result, row) }
            guard let key = schema.key(result, row, from: offset) else { continue }
            let next = offset + schema.count
            rows.keys.append(key)
            rows.xmins.append(result.text(row, next) ?? "")
            rows.ctids.append(result.text(row, next + 1) ?? "")
            rows.values.append((next + 2..<result.columns).map { result.text(row, $0) })
        }
        return rows
    }
}
