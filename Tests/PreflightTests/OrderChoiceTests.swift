import Batches
import Job
import Ledger
import Postgres
import Sharding
import Support
import Testing

@testable import Preflight

@Suite(.database) struct OrderChoiceTests {
    private let fixture: PreflightFixture
    private let job = "table: items\nset: { v: v + 1 }\n"

    init() throws { fixture = try PreflightFixture() }

    /// Makes a table of about 1,200 pages with few rows on each. The rows are in the key's order.
    ///
    /// - Parameters:
    ///   - key: the key of row `i`, as SQL.
    ///   - width: the approximate bytes of a row.
    private func make(
        _ column: String = "bigint", key: String = "i", rows: Int = 7_000, width: Int = 110, fill: Int = 10,
        _ more: String...
    ) throws {
        let statements = [
            """
            CREATE TABLE items (id \(column) PRIMARY KEY, v int, note text)
                WITH (autovacuum_enabled = off, fillfactor = \(fill))
            """,
            "ALTER TABLE items ALTER note SET STORAGE PLAIN",
            "INSERT INTO items SELECT \(key), i % 10, repeat('x', \(width - 40)) FROM generate_series(1, \(rows)) AS i",
        ]
        for statement in statements + more { try fixture.connection.execute(statement) }
        let pages = try fixture.connection.execute("SELECT pg_relation_size('items') / 8192").int(0, 0) ?? 0
        try #require(pages >= OrderChoice.leastPages, "\(pages) pages")
    }

    private func choice(_ more: String = "", as role: String? = nil) throws -> OrderChoice {
        try fixture.check(job + more, as: role).order
    }

    private func expectKeyOrder(
        _ reason: String, _ choice: OrderChoice, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(choice.comb == nil && choice.reason == reason, "\(choice)", sourceLocation: sourceLocation)
        #expect(choice.expected.hotShare == 0 && choice.expected.heapGrowth == 2, sourceLocation: sourceLocation)
    }

    // MARK: - Where the comb helps

    @Test func rowsInTheOrderOfAnIntegerKeyAreDoneStripeByStripe() throws {
        try make()
        let choice = try choice()
        let comb = try #require(choice.comb, "\(choice)")
        #expect(comb.rule == .remainder && OrderChoice.stripes.contains(comb.stripes))
        #expect(comb.batchRows == OrderChoice.batchRows)
        #expect(comb.stretchRows == comb.stripes * OrderChoice.batchesOfStripe * comb.batchRows)
        #expect(choice.reason == "HOT updates are possible" && choice.obstacles.isEmpty)
        #expect((0.5...0.95).contains(choice.expected.hotShare) && choice.expected.heapGrowth < 1.5)
        // A lower limit in the job overrides the comb's limit.
        #expect(try self.choice("batch: { rows: 20 }\n").comb?.batchRows == 20)
    }

    /// Of numbers in steps of two, an even number of stripes has half of the remainders.
    @Test func remaindersThatAreUnevenAreNotTakenForStripes() throws {
        try make(key: "i * 2")
        let choice = try choice()
        let comb = try #require(choice.comb)
        #expect(comb.rule == .hash || comb.stripes % 2 == 1)
        #expect(choice.expected.hotShare > 0.5)
    }

    @Test func gapsInTheKeyGetMoreStripes() throws {
        try make()
        let even = try #require(try choice().comb)
        try fixture.connection.execute("DROP TABLE items")
        try make(key: "i * 3 + (hashint8(i) & 1) + (hashint8(i * 7) & 1)")
        let choice = try choice()
        #expect(try #require(choice.comb).stripes > even.stripes)
        #expect((0.5...0.9).contains(choice.expected.hotShare))
    }

    @Test func remaindersOfNegativeKeysAreEvenToo() throws {
        try make(key: "i - 3500")
        #expect(try choice().comb?.rule == .remainder)
    }

    @Test func uuidsInTheOrderOfTheirInsertionAreHashed() throws {
        try make("uuid", key: "(lpad(to_hex(i), 8, '0') || '-0000-4000-8000-000000000000')::uuid")
        #expect(try choice().comb?.rule == .hash)
    }

    @Test func fourRowsOnAPageAreEnoughAndThreeAreNot() throws {
        try make(rows: 4_400, width: 1_900, fill: 100)
        let comb = try #require(try choice().comb)
        #expect(comb.stripes == OrderChoice.stripes.lowerBound)
        try fixture.connection.execute("DROP TABLE items")
        try make(rows: 3_300, width: 2_600, fill: 100)
        expectKeyOrder("fewer than 4 rows fit on a page", try choice())
    }

    // MARK: - Where it does not

    @Test func growthOfASmallTableIsNoMatter() throws {
        for statement in [
            "CREATE TABLE items (id bigint PRIMARY KEY, v int)", "INSERT INTO items SELECT generate_series(1, 100)",
        ] { try fixture.connection.execute(statement) }
        expectKeyOrder("the table is small", try choice())
        #expect(try choice("order: comb\n").comb != nil)
    }

    @Test(arguments: [
        "(v)", "((v + 1))", "(id) WHERE v > 3", "(id) INCLUDE (v)", "(note, v DESC)", "USING hash (v)",
    ])
    func indexThatHoldsAChangedColumnIsNamed(_ definition: String) throws {
        try make("bigint", "CREATE INDEX by_v ON items \(definition)")
        let choice = try choice()
        expectKeyOrder("v is in index by_v, so that no update can be HOT", choice)
        #expect(choice.obstacles == ["index by_v holds v, which changes: no update can be HOT"])
        let asked = try self.choice("order: comb\n")
        #expect(asked.comb != nil && asked.reason == "the job says so" && asked.expected.hotShare == 0)
        #expect(asked.obstacles == choice.obstacles)
    }

    @Test func indexOfOtherColumnsIsInNobodysWay() throws {
        try make("bigint", "CREATE INDEX by_note ON items (note) WHERE id > 3")
        #expect(try choice().comb != nil)
    }

    /// Before PostgreSQL 16 such an index keeps a row from HOT updates, although it stores no row's place.
    @Test func indexThatSumsPagesUpIsInTheWayBefore16() throws {
        try make("bigint", "CREATE INDEX by_v ON items USING brin (v)")
        #expect(try (choice().comb == nil) == (fixture.connection.serverVersion < 160_000))
    }

    @Test func rowsInNoOrderOfTheirKeyAreDoneByIt() throws {
        try make("uuid", key: "md5(i::text)::uuid")
        expectKeyOrder("neighbours by key lie on different pages", try choice())
    }

    @Test func conditionThatFewRowsMeetLeavesTheirPagesAlone() throws {
        try make("bigint", "ANALYZE items")
        expectKeyOrder("few rows meet the condition", try choice("where: v = 3\n"))
        #expect(try choice("where: v > 2\n").comb != nil)
    }

    @Test func roleThatMaySeeNoPlacesOfRowsWorksInKeyOrder() throws {
        try make()
        let role = try fixture.database.makeRole()
        let rights = [
            "GRANT USAGE, CREATE ON SCHEMA public TO \(role)",
            "GRANT CREATE ON DATABASE \(fixture.database.name) TO \(role)",
            "GRANT SELECT (id, v), UPDATE (v) ON items TO \(role)",
        ]
        for statement in rights { try fixture.connection.execute(statement) }
        expectKeyOrder(
            "this role may not see on which pages the rows lie (SELECT on ctid)", try choice(as: role))
        #expect(try choice("order: comb\n", as: role).comb?.rule == .hash)
        try fixture.connection.execute("GRANT SELECT ON items TO \(role)")
        #expect(try choice(as: role).comb?.rule == .remainder)
    }

    @Test func jobHasTheLastWord() throws {
        try make()
        expectKeyOrder("the job says so", try choice("order: key\n"))
        let asked = try choice("order: comb\n")
        #expect(asked.comb == (try choice().comb) && asked.reason == "the job says so")
    }

    // MARK: - Who is in the way

    /// What is told of one session. Other tests have sessions in other databases.
    private func told(of session: PostgresConnection, from seconds: Int) throws -> [String] {
        let target = try fixture.check(job).target
        return try OrderChoice.choose(
            target, try Job.parse(text: job, file: "job.yaml", directory: "/"), rows: 7_000, estimated: 7_000,
            snapshotsFrom: seconds, limit: 1000, fixture.connection
        ).obstacles.filter { $0.hasPrefix("pid \(session.backendPID) (") }
    }

    @Test func sessionWithAnOldSnapshotIsTold() throws {
        try make()
        let reader = try fixture.database.connect()
        try reader.execute("SET application_name = 'report'")
        #expect(try told(of: reader, from: 0).isEmpty)
        try reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        try reader.execute("SELECT count(*) FROM items")
        let told = try told(of: reader, from: 0)
        let user = try reader.execute("SELECT current_user").text(0, 0) ?? ""
        #expect(told.first?.contains(" (\(user), report, ") == true, "\(told)")
        // A transaction that has just begun is not told.
        #expect(try self.told(of: reader, from: 600).isEmpty)
        try reader.execute("ROLLBACK")
        #expect(try self.told(of: reader, from: 0).isEmpty)
    }

    @Test func sessionThatWritesIsToldInWhateverDatabaseItIs() throws {
        try make()
        let other = try PostgresConnection(.init(applicationName: "coord test"))
        try other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        try other.execute("SELECT count(*) FROM pg_class")
        #expect(try told(of: other, from: 0).isEmpty)
        try other.execute("SELECT txid_current()")
        #expect(try told(of: other, from: 0).count == 1)
        try other.execute("ROLLBACK")
    }

    /// The expectation comes from a measurement: of rows of 40 bytes, 185 on a page, 57 % of the updates are HOT.
    @Test func rowsSoNarrowThatAPageHasNoPlacesForThemAllAreExpectedToMove() throws {
        for statement in [
            "CREATE TABLE items (id bigint PRIMARY KEY, v int) WITH (autovacuum_enabled = off)",
            "INSERT INTO items SELECT i, 0 FROM generate_series(1, 200000) AS i", "ANALYZE items",
        ] { try fixture.connection.execute(statement) }
        let expected = try choice().expected
        #expect((0.55...0.6).contains(expected.hotShare), "\(expected)")
        #expect(expected.indexGrowth <= 2 && (1.3...1.6).contains(expected.heapGrowth), "\(expected)")
    }
}
