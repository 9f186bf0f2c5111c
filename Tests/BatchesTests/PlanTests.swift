import Ledger
import Postgres
import Sharding
import Support
import Testing

@testable import Batches

/// The plans of the prepared statements under the settings of a session for batches, on a table of 50,000 rows.
@Suite(.database) struct PlanTests {
    private let connection: PostgresConnection

    init() throws {
        try LedgerInstallation(try TestDatabase.current.connect()).install()
        connection = try TestDatabase.current.connect(setup: PostgresSession.batches)
    }

    private func makeTable(_ column: String, _ expression: String) throws {
        try connection.execute(
            "CREATE TABLE items (id \(column) PRIMARY KEY, n int, note text) WITH (autovacuum_enabled = off)")
        try connection.execute(
            "INSERT INTO items SELECT \(expression), i, repeat('x', 100) FROM generate_series(1, 50000) AS i")
        try connection.execute("CREATE TABLE others AS SELECT i AS id FROM generate_series(1, 50000) AS i")
        try connection.execute("ALTER TABLE others ADD PRIMARY KEY (id)")
    }

    /// Checks that the plan reaches the table only by its key's index or by the rows' ctids.
    private func check(_ name: String, _ statements: BatchStatements, _ sql: String, join: String? = nil) throws {
        let settings = name.hasPrefix("write") ? ["BEGIN", statements.writeSettings] : PostgresSession.byIndex
        let connection = try TestDatabase.current.connect(setup: PostgresSession.batches + settings)
        let lines = try PlanSwitches.explain(name, sql, connection)
        let text = "\(name)\n" + lines.joined(separator: "\n")
        #expect(lines.contains { $0.contains("items_pkey") || $0.contains("Tid Scan on items") }, "\(text)")
        for line in lines {
            #expect(!line.contains("Seq Scan on items"), "\(text)")
            #expect(!line.contains("Hash Join") || join == "Hash Join", "\(text)")
            #expect(!line.contains("Merge Join"), "\(text)")
            #expect(!(line.contains("Bitmap") && line.contains("items")), "\(text)")
            // A plan that sorts the table reads all of it.
            #expect(!line.contains("Sort Key: items.id") || name.hasPrefix("deferred"), "\(text)")
        }
        guard let join else { return }
        // The join finds the rows by their ctids. A hash join builds its hash table from the values.
        let node = try #require(lines.firstIndex { $0.contains(join) }, "\(text)")
        let nodes = lines[node...].filter { $0.contains("->") }
        #expect(nodes.contains { $0.contains("Tid Scan on items") }, "\(text)")
        if join == "Hash Join" { #expect(nodes[1].contains("Tid Scan") && nodes[2].contains("Hash "), "\(text)") }
    }

    @Test(arguments: [
        ("bigint", "i"), ("uuid", "md5(i::text)::uuid"), ("text", "md5(i::text)"), ("varchar(40)", "md5(i::text)"),
        ("text COLLATE \"und-x-icu\"", "md5(i::text)"), ("smallint", "i - 25000"),
    ])
    func everyStatementGoesByTheKeysIndex(_ column: String, _ expression: String) throws {
        guard try available(collationOf: column, connection) else { return }
        try makeTable(column, expression)
        let width = "pg_column_size(items.note)"
        let set = BatchStatements(target: try .setting(connection, ["n": "n + 1"], width: width))
        let sparse = BatchStatements(
            target: try .setting(connection, ["n": "n + 1"], where: "n % 7 = 0", width: width))
        let compute = BatchStatements(target: try .computing(connection, read: ["n"], writes: ["n", "note"]))
        let filtered = BatchStatements(
            target: try .computing(connection, read: ["n"], writes: ["n"], where: "note LIKE 'y%'"))
        var watched = compute.target
        watched.hasUpdateTriggers = true
        let triggered = BatchStatements(target: watched)
        for analysed in [false, true] {
            if analysed { try connection.execute("ANALYZE items") }
            for (lower, upper) in [(true, true), (true, false), (false, true), (false, false)] {
                let ends = "\(lower) \(upper) \(analysed)"
                try check("apply \(ends)", set, set.apply(hasLower: lower, hasUpper: upper))
                try check("apply where \(ends)", sparse, sparse.apply(hasLower: lower, hasUpper: upper))
                try check("wide \(ends)", set, set.apply(hasLower: lower, hasUpper: upper, byBytes: true))
                try check("wide where \(ends)", sparse, sparse.apply(hasLower: lower, hasUpper: upper, byBytes: true))
                try check("read \(ends)", compute, compute.read(hasLower: lower, hasUpper: upper))
                try check("read where \(ends)", filtered, filtered.read(hasLower: lower, hasUpper: upper))
            }
            try check("deferred \(analysed)", compute, compute.readDeferred(locking: false))
            try check("deferred locking \(analysed)", filtered, filtered.readDeferred(locking: true))
            try check("write \(analysed)", compute, compute.write(), join: "Hash Join")
            try check("write where \(analysed)", filtered, filtered.write(), join: "Hash Join")
            try check("write triggered \(analysed)", triggered, triggered.write(), join: "Nested Loop")
            try check("write around \(analysed)", compute, compute.write(aroundHeld: true), join: "Hash Join")
            for upper in [true, false] {
                let around = set.apply(hasLower: true, hasUpper: upper, aroundHeld: true)
                try check("apply around \(upper) \(analysed)", set, around)
            }
            try check("apply deferred \(analysed)", set, set.applyDeferred())
        }
    }

    /// The highest number of rows that a node of a statement's plan took from the table.
    private func rowsTouched(_ plan: [String]) -> Int {
        var touched = 0
        for line in plan where line.contains("on items") && line.contains("actual rows=") {
            let parts = line.split(separator: "actual rows=")[1].split { !$0.isNumber && $0 != "." }
            // PostgreSQL 18 and later print the number with two decimals.
            touched = max(touched, Int(Double(parts[0]) ?? 0))
        }
        return touched
    }

    @Test func batchTouchesNoMoreRowsThanItChanges() throws {
        try makeTable("bigint", "i")
        let store = try TestDatabase.current.ledger()
        let shard = try LeasedShard(store, of: try store.ownedRun(cutAt: ["40000"]))
        let statements = BatchStatements(target: try .setting(connection, ["n": "n + 1"]))
        let call = SetBatch(statements).call(shard.fence, shard.range, behind: nil, rows: 100)
        try connection.prepare(call.name, call.sql)
        let arguments = call.parameters.literals.joined(separator: ", ")
        let result = try connection.execute("EXPLAIN (ANALYZE, TIMING off) EXECUTE \(call.name) (\(arguments))")
        let plan = (0..<result.rows).compactMap { result.text($0, 0) }
        #expect(rowsTouched(plan) == 100, "\(plan.joined(separator: "\n"))")
        #expect(try connection.execute("SELECT count(*) FROM items WHERE n = id + 1").int(0, 0) == 100)
    }
}
