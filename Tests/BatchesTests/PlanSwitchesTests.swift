import Ledger
import Postgres
import Sharding
import Support
import Testing

@testable import Batches

/// The planner settings that coord's own statements need do not reach foreign queries.
@Suite(.database) struct PlanSwitchesTests {
    private let connection: PostgresConnection

    init() throws {
        try LedgerInstallation(try TestDatabase.current.connect()).install()
        connection = try TestDatabase.current.connect(setup: PostgresSession.batches)
        try connection.execute(
            "CREATE TABLE items (id bigint PRIMARY KEY, n int, note text) WITH (autovacuum_enabled = off)")
        try connection.execute(
            "INSERT INTO items SELECT i, i, repeat('x', 100) FROM generate_series(1, 50000) AS i")
        try connection.execute("CREATE TABLE others AS SELECT i AS n FROM generate_series(1, 50000) AS i")
        try connection.execute("ANALYZE")
    }

    private func target(where predicate: String?, foreign: Bool) -> Target {
        func column(_ name: String, _ number: Int, _ type: UInt32, _ typeName: String) -> Target.Column {
            Target.Column(
                name: name, number: number, quoted: name, type: type, typeName: typeName,
                value: ValueType(base: type, name: "pg_catalog.\(typeName)"))
        }
        let (id, n) = (column("id", 1, 20, "int8"), column("n", 2, 23, "int4"))
        return Target(
            oid: 0, table: "public.items", alias: "items", key: KeySchema(id, .bigint), predicate: predicate,
            change: .compute(read: [n], writes: [n]), runsForeignQueries: foreign)
    }

    private func setting(_ name: String) throws -> String? { try connection.execute("SHOW \(name)").text(0, 0) }

    @Test func sessionThatPlansOnlyCoordsOwnQueriesGoesByTheIndex() throws {
        let statements = BatchStatements(target: target(where: nil, foreign: false))
        #expect(try PlanSwitches.choose(statements, byBytes: false, connection) == PostgresSession.byIndex)
        #expect(try setting("enable_seqscan") == "off" && setting("enable_bitmapscan") == "off")
    }

    @Test func subqueryIsPlannedAsTheServerLikes() throws {
        let predicate = "EXISTS (SELECT FROM others WHERE others.n = items.n)"
        let statements = BatchStatements(target: target(where: predicate, foreign: true))
        #expect(try PlanSwitches.choose(statements, byBytes: false, connection) == [])
        for name in ["seqscan", "bitmapscan", "hashjoin", "mergejoin", "nestloop"] {
            #expect(try setting("enable_\(name)") == "on")
        }
    }

    /// A role's own settings may keep the planner from every index.
    @Test func planThatWouldScanTheTableIsSwitched() throws {
        try connection.execute("SET random_page_cost = 100000")
        try connection.execute("SET enable_sort = on")
        let statements = BatchStatements(target: target(where: "note LIKE 'y%' AND (SELECT true)", foreign: true))
        let chosen = try PlanSwitches.choose(statements, byBytes: false, connection)
        #expect(chosen == ["SET enable_seqscan = off"] || chosen == PostgresSession.byIndex, "\(chosen)")
    }
}
