import CoordKit
import Ledger
import Postgres
import Sharding
import Support
import Testing

@testable import Batches

/// The plans of a comb's statements, under the settings that a worker's session chooses, on a table of 30,000 rows.
@Suite(.database) struct CombPlanTests {
    private let store: TestLedger
    private let connection: PostgresConnection

    init() throws {
        store = try TestDatabase.current.ledger()
        connection = try TestDatabase.current.connect()
    }

    private func makeTable(_ kind: CombKind) throws {
        let columns = zip(kind.names, kind.columns).map { "\($0) \($1)" }.joined(separator: ", ")
        try connection.execute(
            """
            CREATE TABLE items (\(columns), n int, note text, PRIMARY KEY (\(kind.list)))
                WITH (autovacuum_enabled = off)
            """)
        try connection.execute(
            """
            INSERT INTO items SELECT \(kind.values.joined(separator: ", ")), i, repeat('x', 100)
            FROM generate_series(1, 30000) AS i
            """)
        try connection.execute("CREATE TABLE others AS SELECT i AS n FROM generate_series(1, 30000) AS i")
    }

    /// The property of a job that makes the session choose milder planner settings.
    enum Foreign: CaseIterable, Sendable {
        case nothing, triggers, subquery
    }

    static let kinds = [
        CombKind(columns: ["integer"], values: ["i"], rule: .remainder),
        CombKind(columns: ["bigint"], values: ["i"], rule: .hash),
        CombKind(columns: ["uuid"], values: ["md5(i::text)::uuid"], rule: .hash),
        CombKind(columns: ["text"], values: ["md5(i::text)"], rule: .hash),
        CombKind(columns: ["varchar(40) COLLATE \"und-x-icu\""], values: ["md5(i::text)"], rule: .hash),
        CombKind(columns: ["integer", "bigint"], values: ["i / 100", "i"], rule: .remainder),
        CombKind(
            columns: ["text", "smallint", "uuid"], values: ["'k' || i / 500", "i % 500", "md5(i::text)::uuid"],
            rule: .hash),
    ]

    @Test(arguments: kinds, Foreign.allCases)
    func everyStatementGoesByTheKeysIndex(_ kind: CombKind, _ foreign: Foreign) throws {
        guard try available(collationOf: kind.columns[0], connection) else { return }
        try makeTable(kind)
        let predicate = foreign == .subquery ? "EXISTS (SELECT FROM others WHERE others.n = items.n)" : nil
        func target(_ batches: BatchKind) throws -> Target {
            var target = try kind.target(batches, where: predicate, connection)
            target.hasUpdateTriggers = foreign == .triggers
            target.runsForeignQueries = foreign == .subquery
            return target
        }
        let set = BatchStatements(target: try target(.setBased))
        let compute = BatchStatements(target: try target(.rowBased))
        let comb = kind.comb(stripes: 10)
        for isAnalysed in [false, true] {
            if isAnalysed { try connection.execute("ANALYZE items, others") }
            for statements in [set, compute] {
                let session = try TestDatabase.current.connect(setup: PostgresSession.batches)
                _ = try PlanSwitches.choose(statements, byBytes: false, comb: comb, session)
                for ends in 0..<8 {
                    let sql = statements.look(
                        comb, hasLower: ends & 1 > 0, hasUpper: ends & 2 > 0, ofStripe: ends & 4 > 0)
                    try check("look \(ends) \(isAnalysed)", sql, session)
                }
            }
            let session = try TestDatabase.current.connect(setup: PostgresSession.batches)
            _ = try PlanSwitches.choose(set, byBytes: false, comb: comb, session)
            try check("apply keys \(isAnalysed)", set.applyKeys(), session)
            try check("apply keys around \(isAnalysed)", set.applyKeys(aroundHeld: true), session)
            let other = try TestDatabase.current.connect(setup: PostgresSession.batches)
            _ = try PlanSwitches.choose(compute, byBytes: false, comb: comb, other)
            try check("read keys \(isAnalysed)", compute.readDeferred(locking: false), other)
        }
    }

    private func check(_ name: String, _ sql: String, _ session: PostgresConnection) throws {
        let lines = try PlanSwitches.explain(name, sql, session)
        let text = "\(name)\n" + lines.joined(separator: "\n")
        #expect(lines.contains { $0.contains("using items_pkey on items") }, "\(text)")
        for line in lines {
            #expect(!line.contains("Seq Scan on items"), "\(text)")
            #expect(!(line.contains("Bitmap") && line.contains("items")), "\(text)")
            // A look follows the index up to its limit.
            #expect(!line.contains("Sort Key") || !name.hasPrefix("look"), "\(text)")
        }
    }

    /// The highest number of rows that a node of a plan took from the table, over all its loops.
    private func rowsTouched(_ plan: [String]) -> Int {
        var touched = 0
        for line in plan where line.contains(" on items") && line.contains("actual rows=") {
            let numbers = line.split(separator: "actual rows=")[1].split { !$0.isNumber && $0 != "." }
            // PostgreSQL 18 and later print the number with two decimals.
            touched = max(touched, Int(((Double(numbers[0]) ?? 0) * (Double(numbers[1]) ?? 1)).rounded()))
        }
        return touched
    }

    private func analyse(
        _ name: String, _ sql: String, _ values: [String?], _ session: PostgresConnection
    ) throws -> [String] {
        try session.prepare(name, sql)
        let arguments = values.map { $0.map { BatchStatements.literal($0) } ?? "NULL" }.joined(separator: ", ")
        let result = try session.execute("EXPLAIN (ANALYZE, TIMING off) EXECUTE \(name) (\(arguments))")
        return (0..<result.rows).compactMap { result.text($0, 0) }
    }

    @Test(arguments: kinds) func batchTouchesNoMoreRowsThanItChanges(_ kind: CombKind) throws {
        guard try available(collationOf: kind.columns[0], connection) else { return }
        try makeTable(kind)
        try connection.execute("ANALYZE items")
        let shard = try LeasedShard(store, of: try store.combRun(), keyColumns: kind.names.count)
        let statements = BatchStatements(target: try kind.target(.setBased, connection))
        let session = try TestDatabase.current.connect(setup: PostgresSession.batches + PostgresSession.byIndex)
        let comb = kind.comb(stripes: 10, batchRows: 100, stretchRows: 3000)
        let part = try #require(
            try StretchWalk(comb).next(statements, shard.range, behind: .start, limit: .max, budget: 100, session))
        let rows = part.rows.count
        #expect((70...100).contains(rows))
        let fence = shard.fence
        var values: [String?] = [
            fence.run.description, fence.lease.shard.description, fence.lease.epoch.description, fence.worker.rawValue,
            "\(fence.sequence)",
        ]
        for column in kind.names.indices {
            values.append(PostgresArray.write(part.rows.compactMap { part.keys.text(row: $0, column: column) }))
        }
        let (cursor, stretch) = (part.cursor, part.cursor.stretch)
        values += [
            cursor.checkpoint?.literal, stretch?.end.literal, stretch.map { "\($0.stripe)" }, stretch?.last?.literal,
            "f",
        ]
        let plan = try analyse("keys", statements.applyKeys(), values, session)
        #expect(rowsTouched(plan) == rows, "\(plan.joined(separator: "\n"))")
        #expect(try connection.execute("SELECT sum(rows_done) FROM coord.shard").int(0, 0) == Int64(rows))
        // A look reads no more rows than a stretch has.
        let look = statements.look(comb, hasLower: false, hasUpper: false, ofStripe: false)
        let walked = try analyse("look", look, ["3000"], session)
        #expect(rowsTouched(walked) == 3000, "\(walked.joined(separator: "\n"))")
    }
}
