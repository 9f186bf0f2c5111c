import Batches
import Job
import Ledger
import Postgres
import Preflight
import Support
import Testing

@Suite(.database) struct RightsTests {
    private let fixture: PreflightFixture
    private let role: String

    init() throws {
        fixture = try PreflightFixture("CREATE TABLE items (id int PRIMARY KEY, v int, w int)")
        role = try fixture.database.makeRole()
    }

    private func grant(_ rights: String, on table: String = "items") throws {
        try fixture.connection.execute("GRANT \(rights) ON \(table) TO \(role)")
    }

    private let set = "table: items\nset: { v: v + 1, w: 2 }\n"
    private let compute = "table: items\nread: [w]\ncompute: { command: [x], writes: [v] }\n"

    @Test func columnsWithoutTheRightToUpdateAreNamed() throws {
        try grant("SELECT")
        let both = try fixture.refusal(of: set, as: role)
        #expect(both.code == .permission)
        #expect(both.message.contains("may not UPDATE v, w of items"))
        #expect(both.mend?.hasPrefix("GRANT UPDATE (v, w) ON public.items") == true)
        try grant("UPDATE (v)")
        #expect(try fixture.refusal(of: set, as: role).message.contains("may not UPDATE w of items"))
        try grant("UPDATE (w)")
        try fixture.check(set, as: role)
    }

    @Test func columnsWithoutTheRightToReadAreNamed() throws {
        try grant("UPDATE")
        let error = try fixture.refusal(of: compute, as: role)
        #expect(error.code == .permission)
        #expect(error.message.contains("may not SELECT id, w of items"))
        try grant("SELECT (id)")
        #expect(try fixture.refusal(of: compute, as: role).message.contains("may not SELECT w of items"))
    }

    @Test func expressionNeedsTheRightToReadWhatItNames() throws {
        try grant("UPDATE, SELECT (id)")
        let error = try fixture.refusal(of: set, as: role)
        #expect(error.code == .permission)
        #expect(error.message.contains("permission denied"))
        try fixture.check("table: items\nset: { v: 7 }\n", as: role)
    }

    @Test func expressionNeedsTheRightToReadOtherTables() throws {
        try grant("ALL")
        try fixture.connection.execute("CREATE TABLE prices (id int)")
        let error = try fixture.refusal(
            of: "table: items\nset: { v: (SELECT max(id) FROM prices) }\n", as: role)
        #expect(error.code == .permission)
        #expect(error.message.contains("prices"))
    }

    @Test func conditionOfAComputeJobNeedsTheRightToReadWhatItNames() throws {
        try grant("UPDATE, SELECT (id, w)")
        try grant("SELECT (xmin, ctid)")
        let error = try fixture.refusal(of: compute + "where: v > 1\n", as: role)
        #expect(error.code == .permission)
    }

    @Test func rowBasedJobNeedsTheRightToReadTheRowsVersion() throws {
        try grant("UPDATE (v), SELECT (id, w)")
        // A worker's first read would fail in this way.
        let worker = try fixture.database.connect(role: role)
        #expect(try postgresError { try worker.execute("SELECT id, xmin, ctid, w FROM items") }.sqlState == "42501")
        let error = try fixture.refusal(of: compute, as: role)
        #expect(error.code == .permission)
        try grant("SELECT (xmin, ctid)")
        try fixture.check(compute, as: role)
    }

    @Test func roleWithoutTheSchemaIsTold() throws {
        try fixture.connection.execute("CREATE SCHEMA shop")
        try fixture.connection.execute("CREATE TABLE shop.items (id int PRIMARY KEY, v int)")
        let error = try fixture.refusal(of: "table: shop.items\nset: { v: 1 }\n", as: role)
        #expect(error.code == .permission)
    }

    @Test func rowSecurityThatHidesRowsIsRefused() throws {
        try grant("ALL")
        try fixture.connection.execute("ALTER TABLE items ENABLE ROW LEVEL SECURITY")
        let error = try fixture.refusal(of: set, as: role)
        #expect(error.code == .permission)
        #expect(error.message.contains("row security hides rows of items"))
        #expect(error.mend?.contains("BYPASSRLS") == true)
        // The table's owner sees all rows.
        try fixture.check(set)
        try fixture.connection.execute("ALTER TABLE items OWNER TO \(role)")
        try fixture.check(set, as: role)
        try fixture.connection.execute("ALTER TABLE items FORCE ROW LEVEL SECURITY")
        #expect(try fixture.refusal(of: set, as: role).code == .permission)
    }

    @Test func readOnlySessionsAreRefused() throws {
        try fixture.connection.execute("SET default_transaction_read_only = on")
        let error = try fixture.refusal(of: set)
        #expect(error.code == .job)
        #expect(error.says("read-only", "default_transaction_read_only"))
    }
}
