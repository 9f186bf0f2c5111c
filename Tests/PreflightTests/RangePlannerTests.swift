import Batches
import Job
import Ledger
import Postgres
import Preflight
import Sharding
import Support
import Testing

@Suite(.database) struct RangePlannerTests {
    private let fixture: PreflightFixture
    private var connection: PostgresConnection { fixture.connection }

    init() throws { fixture = try PreflightFixture() }

    /// Makes the table `items` with the keys that `query` returns.
    private func make(_ column: String, _ query: String) throws -> Target {
        try connection.execute("CREATE TABLE items (id \(column) PRIMARY KEY, v int) WITH (autovacuum_enabled = off)")
        try connection.execute("INSERT INTO items (id) \(query)")
        let job = try Job.parse(text: "table: items\nset: { v: 1 }\n", file: "job.yaml", directory: "/")
        return try Preflight.check(job, file: "job.yaml", connection).target
    }

    /// Whether the server has the column's collation. A server that was built without ICU has no ICU collation.
    private func isAvailable(_ column: String) throws -> Bool {
        guard let name = column.split(separator: "\"").dropFirst().first else { return true }
        return try connection.execute("SELECT FROM pg_collation WHERE collname = $1", [String(name)]).rows > 0
    }

    private var rows: Int64 { get throws { try connection.execute("SELECT count(*) FROM items").int(0, 0) ?? 0 } }

    /// Writes the counts of changes to the statistics now, so that they do not arrive after an ANALYZE.
    private func flushStatistics() throws {
        // Servers before 15 have no such function, and their statistics collector needs time.
        guard connection.serverVersion >= 150_000 else {
            _ = try connection.execute("SELECT pg_sleep(1)")
            return
        }
        try connection.execute("SELECT pg_stat_force_next_flush()")
    }

    /// The number of the table's rows in each range, as the server counts them.
    private func counts(_ plan: ShardPlan, _ type: String) throws -> [Int64] {
        try plan.parts.map { part in
            let result = try connection.execute(
                """
                SELECT count(*) FROM items
                WHERE ($1::text IS NULL OR id > $1::text::\(type)) AND ($2::text IS NULL OR id <= $2::text::\(type))
                """, [part.range.after?.components[0], part.range.through?.components[0]])
            return result.int(0, 0) ?? -1
        }
    }

    /// Checks that the ranges tile the key space up to the highest key.
    private func checkTiling(_ plan: ShardPlan) throws {
        let end = plan.parts.last?.range.through
        #expect(end != nil)
        try KeyRange.checkTiling(plan.parts.map(\.range), of: KeyRange(after: nil, through: end))
    }

    /// Checks that the ranges tile the key space and hold all rows, each about the same number.
    private func check(
        _ plan: ShardPlan, type: String, shards: Int, tolerance: Double,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try checkTiling(plan)
        let counts = try counts(plan, type)
        let total = try rows
        #expect(counts.reduce(0, +) == total, sourceLocation: sourceLocation)
        #expect(counts.count == shards, sourceLocation: sourceLocation)
        let even = Double(total) / Double(shards)
        for count in counts {
            #expect(abs(Double(count) - even) <= even * tolerance + 1, "\(counts)", sourceLocation: sourceLocation)
        }
    }

    /// A row count that keeps the planner from walking the key's index.
    private static let tooManyToWalk: Int64 = 6_000_000

    /// Keys with gaps of very different widths.
    static let kinds: [(column: String, query: String)] = [
        ("int", "SELECT generate_series(1, 10000)"),
        (
            "bigint",
            "SELECT i FROM generate_series(1, 1000) AS i UNION ALL SELECT 1000000000000 + i FROM generate_series(1, 9000) AS i"
        ),
        ("bigint", "SELECT (i::bigint * i * i) FROM generate_series(-5000, 4999) AS i"),
        ("smallint", "SELECT generate_series(-5000, 4999)"),
        ("uuid", "SELECT md5(i::text)::uuid FROM generate_series(1, 10000) AS i"),
        ("text", "SELECT chr(97 + i % 2 * 25) || i FROM generate_series(1, 10000) AS i"),
        (
            "text COLLATE \"und-x-icu\"",
            "SELECT (ARRAY['a', 'B', 'ä', 'Z'])[i % 4 + 1] || i FROM generate_series(1, 10000) AS i"
        ),
        ("varchar(50)", "SELECT '''\"{,}\\' || md5(i::text) FROM generate_series(1, 10000) AS i"),
    ]

    @Test(arguments: kinds.indices) func rangesHoldTheSameNumberOfRowsHoweverTheKeysLie(_ index: Int) throws {
        let (column, query) = Self.kinds[index]
        guard try isAvailable(column) else { return }
        let type = String(column.split(separator: " ")[0])
        let target = try make(column, query)
        for shards in [2, 7, 64] {
            let plan = try RangePlanner.plan(target, rows: try rows, shards: shards, connection)
            try check(plan, type: type, shards: shards, tolerance: 0.15)
            #expect(abs(plan.rowsEstimated - 10_000) <= Int64(shards))
        }
    }

    @Test(arguments: kinds.indices) func histogramServesTablesThatAreTooLargeToWalk(_ index: Int) throws {
        let (column, query) = Self.kinds[index]
        guard try isAvailable(column) else { return }
        let type = String(column.split(separator: " ")[0])
        let target = try make(column, query)
        // Counts of changes that arrive after the ANALYZE would make the histogram seem old.
        try flushStatistics()
        try connection.execute("ANALYZE items")
        // The histogram's 101 bounds are enough for ten shards.
        let plan = try RangePlanner.plan(target, rows: Self.tooManyToWalk, shards: 10, connection)
        let bounds = try connection.execute(
            "SELECT array_position(histogram_bounds::text::text[], $1) IS NOT NULL FROM pg_stats WHERE tablename = 'items' "
                + "AND attname = 'id'", [plan.parts[0].range.through?.components[0]])
        #expect(bounds.bool(0, 0) == true, "the histogram was not used")
        try check(plan, type: type, shards: 10, tolerance: 0.2)
        #expect(abs(plan.rowsEstimated - Self.tooManyToWalk) <= 10)
    }

    @Test(arguments: kinds.indices) func sampleServesLargeTablesWithoutAHistogram(_ index: Int) throws {
        let (column, query) = Self.kinds[index]
        guard try isAvailable(column) else { return }
        let type = String(column.split(separator: " ")[0])
        let target = try make(column, query)
        // The sample may have more pages than the table, so it is the whole table. With so many shards it takes every
        // 37th key.
        let plan = try RangePlanner.plan(target, rows: Self.tooManyToWalk, shards: 5000, connection)
        try checkTiling(plan)
        let counts = try counts(plan, type)
        #expect(counts.reduce(0, +) == 10_000)
        #expect((200...300).contains(counts.count))
        #expect(counts.allSatisfy { (30...80).contains($0) })
    }

    /// The plan comes from a walk along the index, or from a sample of pages if the statistics say that the table is
    /// large.
    @Test(arguments: [(20_000, 8, 8), (tooManyToWalk, 5000, 540)] as [(Int64, Int, Int)])
    func rangesOfAKeyOfSeveralColumnsHoldTheSameNumberOfRows(believed: Int64, shards: Int, ranges: Int) throws {
        // Nearly all rows have one of two values in the first column, so that most cuts depend on the other columns.
        try connection.execute(
            "CREATE TABLE items (a text, b smallint, c bigint, v int, PRIMARY KEY (a, b, c)) WITH (autovacuum_enabled = off)"
        )
        try connection.execute(
            """
            INSERT INTO items SELECT CASE i % 100 WHEN 0 THEN 'é' || i ELSE 'x' || i % 2 END, i % 7, -i
            FROM generate_series(1, 20000) AS i
            """)
        try connection.execute("ANALYZE items")
        let job = try Job.parse(text: "table: items\nset: { v: 1 }\n", file: "job.yaml", directory: "/")
        let target = try Preflight.check(job, file: "job.yaml", connection).target
        let plan = try RangePlanner.plan(target, rows: believed, shards: shards, connection)
        try checkTiling(plan)
        let counts = try plan.parts.map { part in
            let literals = [part.range.after?.literal, part.range.through?.literal]
            return try connection.execute(
                """
                SELECT count(*) FROM items WHERE ($1::text[] IS NULL OR
                    (a, b, c) > (($1::text[])[1], ($1::text[])[2]::smallint, ($1::text[])[3]::bigint))
                    AND (a, b, c) <= (($2::text[])[1], ($2::text[])[2]::smallint, ($2::text[])[3]::bigint)
                """, literals
            ).int(0, 0) ?? -1
        }
        #expect(counts.reduce(0, +) == 20_000)
        #expect(abs(counts.count - ranges) <= ranges / 10, "\(counts.count)")
        let even = 20_000 / Int64(counts.count)
        // The last range has the remaining rows.
        #expect(
            counts.allSatisfy { $0 <= even * 2 } && counts.dropLast().allSatisfy { $0 >= even / 2 }, "\(counts)")
        let end = try #require(plan.parts.last?.range.through)
        #expect(try RangePlanner.rows(above: end, limit: 10, target, connection) == 0)
        try connection.execute(
            "INSERT INTO items SELECT a, b + 1, c FROM items ORDER BY a DESC, b DESC, c DESC LIMIT 1")
        #expect(try RangePlanner.rows(above: end, limit: 10, target, connection) == 1)
    }

    @Test func histogramThatIsTooCoarseOrTooOldIsNotUsed() throws {
        let target = try make("int", "SELECT generate_series(1, 10000)")
        try flushStatistics()
        try connection.execute("ANALYZE items")
        // Without the histogram the plan uses a sample. This sample is far too small for that many ranges.
        let coarse = try RangePlanner.plan(target, rows: Self.tooManyToWalk, shards: 50, connection)
        try checkTiling(coarse)
        #expect(coarse.parts.count < 5)
        try connection.execute("INSERT INTO items SELECT generate_series(10001, 20000)")
        try flushStatistics()
        let old = try RangePlanner.plan(target, rows: Self.tooManyToWalk, shards: 4, connection)
        #expect(old.parts.count == 1)
    }

    @Test func freeCountFollowsTheHistogramOfATableThatIsCostlyToWalk() throws {
        let target = try make("bigint", "SELECT i * 1000 FROM generate_series(1, 300000) AS i")
        // The same session has inserted the rows, so the server counts all of them as changed since. That says nothing
        // about the keys.
        try connection.execute("ANALYZE items")
        let even = try RangePlanner.plan(target, rows: 300_000, shards: 64, isCountFree: true, connection)
        // Each range has two of the histogram's hundred buckets.
        try check(even, type: "bigint", shards: 50, tolerance: 0.3)
        let fixed = try RangePlanner.plan(target, rows: 300_000, shards: 64, connection)
        try check(fixed, type: "bigint", shards: 64, tolerance: 0.15)
        let fine = try RangePlanner.plan(target, rows: 300_000, shards: 256, isCountFree: true, connection)
        try check(fine, type: "bigint", shards: 256, tolerance: 0.4)
    }

    @Test(arguments: ["i * -1", "300000000 + i"]) func histogramIsNotUsedWhenManyKeysLieOutsideOfIt(_ key: String)
        throws
    {
        let target = try make("bigint", "SELECT i * 1000 FROM generate_series(1, 300000) AS i")
        try connection.execute("ANALYZE items")
        // A few keys outside do not matter, unless they are more than half a range.
        try connection.execute("INSERT INTO items (id) SELECT \(key) FROM generate_series(1, 2000) AS i")
        let plan = try RangePlanner.plan(target, rows: 300_000, shards: 64, isCountFree: true, connection)
        #expect(plan.parts.count == 50)
        try connection.execute("INSERT INTO items (id) SELECT \(key) FROM generate_series(2001, 4000) AS i")
        let exact = try RangePlanner.plan(target, rows: 300_000, shards: 64, isCountFree: true, connection)
        try check(exact, type: "bigint", shards: 64, tolerance: 0.4)
    }

    @Test(arguments: [1, 2, 3, 10]) func moreShardsThanRowsGiveARangeForEachRowAtMost(_ count: Int) throws {
        let target = try make("int", "SELECT generate_series(1, \(count)) * 10")
        let plan = try RangePlanner.plan(target, rows: Int64(count), shards: 100, connection)
        try checkTiling(plan)
        #expect(plan.parts.count <= count)
        #expect(try counts(plan, "int").reduce(0, +) == Int64(count))
        if count > 1 { #expect(plan.parts.count >= count - 1) }
    }

    @Test func emptyTableAndOneShardGiveOneRange() throws {
        let target = try make("uuid", "SELECT gen_random_uuid() WHERE false")
        for (rows, shards) in [(Int64(0), 8), (0, 1), (1000, 8), (Self.tooManyToWalk, 8)] {
            let plan = try RangePlanner.plan(target, rows: rows, shards: shards, connection)
            #expect(plan.parts.map(\.range) == [.everything])
            #expect(plan.rowsEstimated == rows)
        }
    }

    @Test func statisticsThatAreWrongStillTile() throws {
        let target = try make("int", "SELECT generate_series(1, 1000)")
        for rows in [Int64(2), 10, 100_000, 2_999_999] {
            let plan = try RangePlanner.plan(target, rows: rows, shards: 8, connection)
            try checkTiling(plan)
            #expect(try counts(plan, "int").reduce(0, +) == 1000)
        }
    }

    @Test func keyOfANameThatNeedsQuotesIsPlanned() throws {
        try connection.execute("CREATE TABLE \"Odd \"\"One\" (\"n\" int PRIMARY KEY, \"k\" int)")
        try connection.execute("INSERT INTO \"Odd \"\"One\" SELECT generate_series(1, 100)")
        let job = try Job.parse(text: "table: '\"Odd \"\"One\"'\nset: { k: 1 }\n", file: "job.yaml", directory: "/")
        let findings = try Preflight.check(job, file: "job.yaml", connection)
        let plan = try RangePlanner.plan(findings.target, rows: findings.tableRows, shards: 4, connection)
        #expect(plan.parts.map(\.range.through) == [Key("24"), Key("48"), Key("72"), Key("100")])
        #expect(plan.parts.map(\.rowsEstimated) == [25, 25, 25, 25])
    }

    @Test(arguments: ["walk", "numbered", "k", "n"]) func tableNamedAsAPartOfThePlannersQueryIsPlanned(_ name: String)
        throws
    {
        try connection.execute("CREATE TABLE \(name) (k int PRIMARY KEY, n int)")
        try connection.execute("INSERT INTO \(name) SELECT generate_series(1, 100) * 2")
        let job = try Job.parse(text: "table: \(name)\nset: { n: 1 }\n", file: "job.yaml", directory: "/")
        let target = try Preflight.check(job, file: "job.yaml", connection).target
        let plan = try RangePlanner.plan(target, rows: 100, shards: 4, connection)
        #expect(plan.parts.map(\.range.through) == [Key("48"), Key("96"), Key("144"), Key("200")])
    }

    @Test func planningWritesNothing() throws {
        let target = try make("int", "SELECT generate_series(1, 100)")
        let before = try connection.execute("SELECT max(xmin::text::bigint), count(*) FROM pg_class").text(0, 0)
        try connection.execute("SET default_transaction_read_only = on")
        _ = try RangePlanner.plan(target, rows: 100, shards: 4, connection)
        _ = try RangePlanner.plan(target, rows: Self.tooManyToWalk, shards: 4, connection)
        #expect(try connection.execute("SELECT max(xmin::text::bigint), count(*) FROM pg_class").text(0, 0) == before)
    }
}
