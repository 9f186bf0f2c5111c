import Batches
import Job
import Ledger
import Postgres
import Preflight
import Support
import Testing

@Suite(.database) struct FindingsTests {
    private let job = "table: items\nset: { v: v + 1 }\n"

    private func make(_ rows: Int, _ more: String...) throws -> PreflightFixture {
        let fixture = try PreflightFixture(
            "CREATE TABLE items (id int PRIMARY KEY, v int, note text) WITH (autovacuum_enabled = off)",
            "INSERT INTO items SELECT i, i % 10, repeat('x', 80) FROM generate_series(1, \(rows)) AS i")
        for statement in more { try fixture.connection.execute(statement) }
        return fixture
    }

    @Test func tableThatWasNeverAnalysedIsCounted() throws {
        let findings = try make(1234).check(job)
        #expect(findings.tableRows == 1234)
        #expect(findings.rowsEstimated == 1234)
        #expect((80...200).contains(findings.rowBytes))
    }

    @Test func tableThatWasAnalysedIsEstimated() throws {
        let fixture = try make(1000, "ANALYZE items", "INSERT INTO items SELECT generate_series(2001, 2010)")
        #expect(try fixture.check(job).tableRows == 1000)
    }

    /// The table was analysed while it was small, and has grown since.
    @Test func statisticsAreScaledByHowTheTableHasGrown() throws {
        let fixture = try make(
            100, "ANALYZE items",
            "INSERT INTO items SELECT i, i % 10, repeat('x', 80) FROM generate_series(2001, 52000) AS i")
        let rows = try fixture.check(job).tableRows
        #expect((15_000...80_000).contains(rows), "\(rows)")
    }

    @Test func numbersThatADoubleCannotHoldAreToldOf() throws {
        let fixture = try make(
            10, "ALTER TABLE items ADD price numeric(40, 10), ADD big bigint, ADD small bigint, ADD round numeric",
            "UPDATE items SET price = 12345678901234567890.1234567891, big = 9007199254740993, small = 12, round = 1e20"
        )
        let job = "table: items\nread: [price, big, small, round]\ncompute: { command: [cat], writes: [v] }\n"
        let warnings = try fixture.check(job).warnings
        #expect(
            warnings.count == 1 && warnings[0].hasPrefix("price, big: there are numbers of more digits"), "\(warnings)")
        let strings = job.replacing("writes", with: "numbers: strings, writes")
        #expect(try fixture.check(strings).warnings.isEmpty)
    }

    @Test func conditionIsEstimatedByThePlanner() throws {
        let fixture = try make(1000, "ANALYZE items")
        let findings = try fixture.check(job + "where: v = 3\n")
        #expect(findings.tableRows == 1000)
        #expect((80...120).contains(findings.rowsEstimated))
    }

    @Test func emptyTableHasNoRows() throws {
        let findings = try make(0).check(job)
        #expect(findings.tableRows == 0 && findings.rowsEstimated == 0 && findings.rowBytes == 0)
    }

    @Test func indexesAndTriggersThatSlowTheUpdateAreToldOf() throws {
        let fixture = try make(
            10, "CREATE INDEX by_v ON items (v)", "CREATE INDEX by_note ON items (note)",
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "CREATE TRIGGER each AFTER UPDATE ON items FOR EACH ROW EXECUTE FUNCTION f()",
            "CREATE TRIGGER inserts AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION f()",
            "CREATE TRIGGER statements AFTER UPDATE ON items FOR EACH STATEMENT EXECUTE FUNCTION f()",
            "CREATE TRIGGER off AFTER UPDATE ON items FOR EACH ROW EXECUTE FUNCTION f()",
            "ALTER TABLE items DISABLE TRIGGER off")
        let warnings = try fixture.check(job).warnings
        #expect(warnings == ["v is in index by_v: no update of it can be HOT", "trigger each fires for every row"])
    }

    @Test func onlyLongValuesThatTheJobTouchesAreMeasured() throws {
        let fixture = try make(10, "ALTER TABLE items ADD other text, ADD short char(3), ADD raw bytea")
        func width(_ yaml: String) throws -> String? { try fixture.check("table: items\n" + yaml).target.width }
        func size(_ columns: String...) -> String {
            "(\(columns.map { "COALESCE(pg_column_size(items.\($0)), 0)" }.joined(separator: " + ")))"
        }
        #expect(try width("set: { v: v + 1 }\n") == nil)
        #expect(try width("set: { note: upper(other) }\n") == size("note", "other"))
        #expect(try width("set: { v: 1 }\nwhere: raw IS NULL\n") == size("raw"))
        #expect(try width("set: { v: octet_length(items::text) }\n") == size("note", "other", "short", "raw"))
        #expect(try width("read: [note]\ncompute: { transform: passthrough, writes: [note] }\n") == nil)
    }

    @Test func valuesThatAreKeptOutsideThePagesAreNoticed() throws {
        let fixture = try make(10)
        #expect(try !fixture.check(job).target.isToasted)
        try fixture.connection.execute("ALTER TABLE items ALTER COLUMN note SET STORAGE EXTERNAL")
        try fixture.connection.execute("UPDATE items SET note = repeat('x', 9000) WHERE id = 1")
        #expect(try fixture.check(job).target.isToasted)
    }
}
