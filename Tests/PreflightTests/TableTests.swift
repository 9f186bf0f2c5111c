import Batches
import Job
import Ledger
import Postgres
import Preflight
import Sharding
import Support
import Testing

/// Tables and keys that the preflight refuses, and words of the refusal.
@Suite(.database) struct TableTests {
    struct Refusal: Sendable, CustomTestStringConvertible {
        let name: String
        /// The statements that make the table `items`, separated by ';'.
        let setup: String
        let message: String
        let mend: String?
        var job = "table: items\nset: { v: v + 1 }\n"
        var testDescription: String { name }
    }

    static let refusals: [Refusal] = [
        Refusal(
            name: "view", setup: "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE VIEW items AS SELECT * FROM t",
            message: "items is a view", mend: "ordinary table behind it"),
        Refusal(
            name: "materialized view", setup: "CREATE MATERIALIZED VIEW items AS SELECT 1 AS id, 2 AS v",
            message: "items is a materialized view", mend: "ordinary table behind it"),
        Refusal(
            name: "foreign table",
            setup: "CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere; "
                + "CREATE FOREIGN TABLE items (id int, v int) SERVER nowhere",
            message: "items is a foreign table", mend: nil),
        Refusal(
            name: "partitioned table",
            setup: "CREATE TABLE items (id int PRIMARY KEY, v int) PARTITION BY RANGE (id); "
                + "CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (0) TO (10)",
            message: "items is a partitioned table", mend: "partitions"),
        Refusal(name: "sequence", setup: "CREATE SEQUENCE items", message: "items is a sequence", mend: nil),
        Refusal(
            name: "index", setup: "CREATE TABLE t (id int); CREATE INDEX items ON t (id)", message: "items is an index",
            mend: nil),
        Refusal(
            name: "type", setup: "CREATE TYPE items AS (id int, v int)", message: "items is a composite type", mend: nil
        ),
        Refusal(
            name: "inheritance parent",
            setup: "CREATE TABLE items (id int PRIMARY KEY, v int); CREATE TABLE more () INHERITS (items)",
            message: "items has child tables", mend: "one job for each table"),
        Refusal(
            name: "no key", setup: "CREATE TABLE items (id int NOT NULL, v int)", message: "no primary key",
            mend: "add a primary key"),
        Refusal(
            name: "no primary key but a unique column",
            setup: "CREATE TABLE items (id int NOT NULL UNIQUE, v int)", message: "no primary key", mend: "key: id"),
        Refusal(
            name: "key of five columns",
            setup: "CREATE TABLE items (a int, b int, c int, d int, e int, v int, PRIMARY KEY (a, b, c, d, e))",
            message: "the key (a, b, c, d, e) has 5 columns: coord takes 4 at the most",
            mend: "name other NOT NULL columns"),
        Refusal(
            name: "part of a key that may be null",
            setup: "CREATE TABLE items (a int NOT NULL, b int, v int, UNIQUE (a, b))",
            message: "key b: it may be null", mend: "ALTER COLUMN b SET NOT NULL",
            job: "table: items\nkey: [a, b]\nset: { v: v + 1 }\n"),
        Refusal(
            name: "key in another order than its index",
            setup: "CREATE TABLE items (a int, b int, v int, PRIMARY KEY (a, b))",
            message: "has the columns in another order", mend: "key: [a, b]",
            job: "table: items\nkey: [b, a]\nset: { v: v + 1 }\n"),
        Refusal(
            name: "index in two directions",
            setup:
                "CREATE TABLE items (a int NOT NULL, b int NOT NULL, v int); CREATE UNIQUE INDEX ON items (a, b DESC)",
            message: "it has no unique index of its own", mend: "(a, b)",
            job: "table: items\nkey: [a, b]\nset: { v: v + 1 }\n"),
        Refusal(
            name: "part of a key of another type",
            setup: "CREATE TABLE items (a int, b point NOT NULL, v int, c numeric, PRIMARY KEY (a, c))",
            message: "key c has the type numeric", mend: nil),
        Refusal(
            name: "deferrable primary key",
            setup: "CREATE TABLE items (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, v int)",
            message: "primary key", mend: nil),
        Refusal(
            name: "deferrable unique key",
            setup: "CREATE TABLE items (id int NOT NULL UNIQUE DEFERRABLE, v int)", message: "deferrable",
            mend: "CREATE UNIQUE INDEX CONCURRENTLY", job: "table: items\nkey: id\nset: { v: 1 }\n"),
        Refusal(
            name: "nullable key", setup: "CREATE TABLE items (id int UNIQUE, v int)", message: "it may be null",
            mend: "SET NOT NULL", job: "table: items\nkey: id\nset: { v: 1 }\n"),
        Refusal(
            name: "partial unique index",
            setup: "CREATE TABLE items (id int NOT NULL, v int); CREATE UNIQUE INDEX ON items (id) WHERE v > 0",
            message: "no unique index of its own", mend: "ON public.items (id)",
            job: "table: items\nkey: id\nset: { v: 1 }\n"),
        Refusal(
            name: "unique index on an expression",
            setup: "CREATE TABLE items (id int NOT NULL, v int); CREATE UNIQUE INDEX ON items ((id + 1))",
            message: "no unique index of its own", mend: nil, job: "table: items\nkey: id\nset: { v: 1 }\n"),
        Refusal(
            name: "unique index on more columns",
            setup: "CREATE TABLE items (id int NOT NULL, v int, UNIQUE (id, v))",
            message: "no unique index of its own", mend: nil, job: "table: items\nkey: id\nset: { v: 1 }\n"),
        Refusal(
            name: "key without an index", setup: "CREATE TABLE items (id int NOT NULL, v int)",
            message: "no unique index of its own", mend: nil, job: "table: items\nkey: id\nset: { v: 1 }\n"),
        Refusal(
            name: "key of an unsupported type", setup: "CREATE TABLE items (id numeric(10, 2) PRIMARY KEY, v int)",
            message: "key id has the type numeric(10,2)", mend: nil),
        Refusal(
            name: "key of a domain over an unsupported type",
            setup: "CREATE DOMAIN d AS date; CREATE TABLE items (id d PRIMARY KEY, v int)",
            message: "key id has the type d", mend: nil),
        Refusal(
            name: "published table that has nothing to tell its rows apart by",
            setup: "CREATE TABLE items (id int NOT NULL UNIQUE, v int); CREATE PUBLICATION p FOR TABLE items",
            message: "items cannot be updated: cannot update table", mend: "REPLICA IDENTITY",
            job: "table: items\nkey: id\nread: [v]\ncompute: { command: [cat], writes: [v] }\n"),
        Refusal(
            name: "table with a rule",
            setup:
                "CREATE TABLE items (id int PRIMARY KEY, v int); CREATE RULE r AS ON UPDATE TO items DO ALSO NOTHING",
            message: "the rule r on items changes what an UPDATE does", mend: "drop the rule"),
        Refusal(
            name: "key that is not there", setup: "CREATE TABLE items (id int PRIMARY KEY, v int)",
            message: "key: there is no column uid in items", mend: "it has: id, v",
            job: "table: items\nkey: uid\nset: { v: 1 }\n"),
        Refusal(
            name: "column that is not there", setup: "CREATE TABLE items (id int PRIMARY KEY, v int)",
            message: "set: there is no column w in items", mend: "it has: id, v", job: "table: items\nset: { w: 1 }\n"),
        Refusal(
            name: "column in another case", setup: "CREATE TABLE items (id int PRIMARY KEY, \"Price\" int)",
            message: "set: there is no column price in items", mend: "there is \"Price\"",
            job: "table: items\nset: { price: 1 }\n"),
        Refusal(
            name: "column that was dropped",
            setup: "CREATE TABLE items (id int PRIMARY KEY, v int, w int); ALTER TABLE items DROP COLUMN w",
            message: "there is no column w", mend: nil, job: "table: items\nset: { w: 1 }\n"),
        Refusal(
            name: "system column", setup: "CREATE TABLE items (id int PRIMARY KEY)",
            message: "there is no column xmin", mend: nil, job: "table: items\nset: { xmin: 1 }\n"),
        Refusal(
            name: "column to read that is not there", setup: "CREATE TABLE items (id int PRIMARY KEY, v int)",
            message: "read: there is no column w", mend: "it has: id, v",
            job: "table: items\nread: [w]\ncompute: { command: [x], writes: [v] }\n"),
        Refusal(
            name: "column to write that is not there", setup: "CREATE TABLE items (id int PRIMARY KEY, v int)",
            message: "writes: there is no column w", mend: "it has: id, v",
            job: "table: items\ncompute: { command: [x], writes: [w] }\n"),
        Refusal(
            name: "generated column",
            setup: "CREATE TABLE items (id int PRIMARY KEY, w int, v int GENERATED ALWAYS AS (w * 2) STORED)",
            message: "v is a generated column", mend: "remove v from set"),
        Refusal(
            name: "identity column",
            setup: "CREATE TABLE items (id int PRIMARY KEY, v int GENERATED ALWAYS AS IDENTITY)",
            message: "v is GENERATED ALWAYS AS IDENTITY", mend: nil),
        Refusal(
            name: "key to be set", setup: "CREATE TABLE items (id int PRIMARY KEY, v int)",
            message: "set: id is the key", mend: "remove id from set", job: "table: items\nset: { id: id + 1 }\n"),
        Refusal(
            name: "key to be written", setup: "CREATE TABLE items (id int PRIMARY KEY, v int)",
            message: "writes: id is the key", mend: "remove id from writes",
            job: "table: items\ncompute: { command: [x], writes: [id] }\n"),
        Refusal(
            name: "missing table", setup: "", message: "there is no table items in database coord_test",
            mend: "check the name"),
        Refusal(
            name: "table in another schema",
            setup: "CREATE SCHEMA shop; CREATE TABLE shop.items (id int PRIMARY KEY, v int)",
            message: "there is no table items", mend: "there is shop.items"),
        Refusal(
            name: "table in another case", setup: "CREATE TABLE \"Items\" (id int PRIMARY KEY, v int)",
            message: "there is no table items", mend: "Items"),
        Refusal(
            name: "missing schema", setup: "CREATE TABLE items (id int PRIMARY KEY, v int)",
            message: "there is no table shop.items", mend: "there is public.items",
            job: "table: shop.items\nset: { v: 1 }\n"),
        Refusal(
            name: "system table", setup: "", message: "belongs to the system", mend: nil,
            job: "table: pg_catalog.pg_class\nset: { relname: '''x''' }\n"),
        Refusal(
            name: "table of the ledger",
            setup: "CREATE SCHEMA coord; CREATE TABLE coord.run (id int PRIMARY KEY, v int)",
            message: "coord's own ledger", mend: nil, job: "table: coord.run\nset: { v: 1 }\n"),
        Refusal(
            name: "temporary table", setup: "CREATE TEMP TABLE items (id int PRIMARY KEY, v int)",
            message: "belongs to the system", mend: nil),
    ]

    @Test func tablesOfTheLedgerAreThoseInItsSchema() throws {
        let fixture = try PreflightFixture()
        let schema = try #require(LedgerSchema("My \"Ledger"))
        for name in ["coord", schema.quoted] {
            try fixture.connection.execute("CREATE SCHEMA \(name)")
            try fixture.connection.execute("CREATE TABLE \(name).run (id int PRIMARY KEY, v int)")
        }
        func check(_ table: String) throws {
            let job = try Job.parse(
                text: "table: '\(table)'\nset: { v: 1 }\n", file: "job.yaml", directory: "/jobs")
            _ = try Preflight.check(job, file: "job.yaml", ledger: schema, fixture.connection)
            _ = try Preflight.check(job, file: "job.yaml", table: table, ledger: schema, fixture.connection)
        }
        // With a ledger of another name, the schema `coord` is somebody else's.
        try check("coord.run")
        #expect(throws: PreflightError.self) { try check("\(schema).run") }
    }

    @Test(arguments: refusals) func tableOrKeyOrColumnIsRefusedWithTheMend(_ refusal: Refusal) throws {
        let fixture = try PreflightFixture()
        defer { _ = try? fixture.connection.execute("DROP FOREIGN DATA WRAPPER IF EXISTS nowhere CASCADE") }
        for statement in refusal.setup.split(separator: ";") { try fixture.connection.execute(String(statement)) }
        let error = try fixture.refusal(of: refusal.job)
        #expect(error.code == .job)
        #expect(error.message.contains(refusal.message), "\(error)")
        if let mend = refusal.mend { #expect(error.mend?.contains(mend) == true, "\(error)") }
    }

    // MARK: - What is taken

    /// Key columns that the preflight accepts, with the rest of the table.
    @Test(arguments: [
        "id smallint PRIMARY KEY", "id int PRIMARY KEY", "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "id uuid PRIMARY KEY", "id text PRIMARY KEY", "id varchar(20) PRIMARY KEY", "id text COLLATE \"C\" PRIMARY KEY",
        "id int PRIMARY KEY, EXCLUDE USING btree (id WITH =)",
    ])
    func keysOfEveryTypeAreTaken(_ key: String) throws {
        let fixture = try PreflightFixture("CREATE TABLE items (v int, \(key))")
        let findings = try fixture.check("table: items\nset: { v: v + 1 }\n")
        #expect(findings.target.key.columns.map(\.name) == ["id"])
        #expect(findings.target.table == "public.items")
        #expect(findings.target.alias == "items")
        #expect(findings.warnings.isEmpty)
    }

    @Test func uniqueColumnMayBeTheKeyInsteadOfTheCompositePrimaryKey() throws {
        let fixture = try PreflightFixture(
            "CREATE TABLE items (a int, b int, uid uuid NOT NULL, v int, PRIMARY KEY (a, b))",
            "CREATE UNIQUE INDEX ON items (uid) INCLUDE (v)")
        let findings = try fixture.check("table: items\nkey: uid\nset: { a: a + 1 }\n")
        #expect(findings.target.key.parts.map(\.type) == [.uuid])
    }

    @Test func namesAreResolvedAndQuotedByTheServer() throws {
        let fixture = try PreflightFixture(
            "CREATE SCHEMA \"My Shop\"",
            "CREATE TABLE \"My Shop\".\"Order\" (\"Key\" int PRIMARY KEY, \"select\" varchar(7), \"a\"\"b\" int)")
        let findings = try fixture.check(
            """
            table: '"My Shop"."Order"'
            read: ['"select"']
            compute: { command: [x], writes: ['"a""b"', '"select"'] }
            """)
        let target = findings.target
        #expect(target.table == "\"My Shop\".\"Order\"")
        #expect(target.alias == "\"Order\"")
        #expect(target.key.quoted == "\"Key\"")
        guard case .compute(let read, let writes) = target.change else {
            Issue.record("not a compute")
            return
        }
        #expect(read.map(\.quoted) == ["\"select\""])
        #expect(writes.map(\.quoted) == ["\"a\"\"b\"", "\"select\""])
        #expect(writes.map(\.typeName) == ["integer", "character varying(7)"])
    }

    @Test func partitionIsAnOrdinaryTable() throws {
        let fixture = try PreflightFixture(
            "CREATE TABLE items (id int PRIMARY KEY, v int) PARTITION BY RANGE (id)",
            "CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (0) TO (10)")
        #expect(try fixture.check("table: items_1\nset: { v: 1 }\n").target.table == "public.items_1")
    }

    @Test func uniqueIndexThatCannotOrderTheKeyIsRefused() throws {
        let fixture = try PreflightFixture(
            "CREATE TABLE items (id text NOT NULL, uid text NOT NULL, v int)",
            "CREATE UNIQUE INDEX ON items (id COLLATE \"C\")",
            "CREATE UNIQUE INDEX ON items (uid text_pattern_ops)")
        for key in ["id", "uid"] {
            _ = try fixture.refusal(of: "table: items\nkey: \(key)\nset: { v: 1 }\n")
        }
    }

    @Test func deferrablePrimaryKeyIsNamedAsTheReason() throws {
        let fixture = try PreflightFixture("CREATE TABLE items (id int PRIMARY KEY DEFERRABLE, v int)")
        let error = try fixture.refusal(of: "table: items\nset: { v: 1 }\n")
        #expect(error.message.contains("deferrable"))
    }

    @Test func tableOfAnEarlierRunIsFoundByItsResolvedName() throws {
        let fixture = try PreflightFixture(
            "CREATE SCHEMA shop", "CREATE TABLE shop.items (id int PRIMARY KEY, v int)",
            "CREATE TABLE items (id int PRIMARY KEY, v int)")
        let job = try Job.parse(text: "table: items\nset: { v: 1 }\n", file: "job.yaml", directory: "/")
        let connection = fixture.connection
        #expect(
            try Preflight.check(job, file: "job.yaml", table: "shop.items", connection).target.table == "shop.items")
        #expect(try Preflight.check(job, file: "job.yaml", connection).target.table == "public.items")
    }
}
