import Testing

@Suite struct LimitTests {
    @Test func rowWiderThanTheByteLimitIsABatchOfItsOwn() async throws {
        try await Scenario.run { scenario in
            try await Self.makeWide(scenario, rows: 20, bytes: 100_000)
            let ended = try await scenario.run("start", try Self.job(scenario, bytes: "4KiB"), "--workers", "1")
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await scenario.session.int("SELECT count(*) FROM history WHERE rows > 1") == 0)
            // The read that finds the end of the shard may be a batch without rows.
            #expect(try await scenario.session.int("SELECT sum(rows) FROM history") == 20)
        }
    }

    @Test func wideRowsEndABatchThatPostgreSQLComputes() async throws {
        try await Scenario.run { scenario in
            // 100 short rows; 3 rows of 100,000 bytes that do not compress; 100 short rows.
            try await Self.makeWide(scenario, rows: 203, bytes: 10)
            try await scenario.session.execute(
                "ALTER TABLE wide ALTER COLUMN pad SET STORAGE EXTERNAL",
                "UPDATE wide SET pad = repeat('x', 100000) WHERE id BETWEEN 101 AND 103", "TRUNCATE history")
            let job = try scenario.job(
                "table: wide\nset: { pad: upper(pad) }\nbatch: { bytes: 64KiB }\nshards: 1\n")
            let ended = try await scenario.run("start", job, "--workers", "1")
            #expect(ended.status == 0, "\(ended.errors)")
            let batches = try await scenario.session.execute("SELECT rows FROM history WHERE rows > 0")
            #expect(batches.map { $0[0] } == ["100", "1", "1", "1", "100"])
        }
    }

    @Test func wideRowsDoNotMakeTheWorkerLarge() async throws {
        try await Scenario.run { scenario in
            try await Self.makeWide(scenario, rows: 1, bytes: 10)
            let small = try await Self.peak(scenario)
            try await scenario.session.execute(
                "INSERT INTO wide SELECT i, repeat(md5(i::text), 625) FROM generate_series(2, 2001) AS i",
                "TRUNCATE history")
            let large = try await Self.peak(scenario)
            // The shard has 40 MB of rows. The worker holds at most twice the batch's limit, in a few copies.
            #expect(large - small < 8 << 20, "\(small) bytes with one small row, \(large) with 2,000 wide ones")
            #expect(try await scenario.session.int("SELECT sum(rows) FROM history") == 2001)
            // A batch has at most three wide rows, and the narrow row in front of them.
            #expect(try await scenario.session.int("SELECT max(rows) FROM history") <= 64 * 1024 / 20_000 + 1)
        }
    }

    private static func peak(_ scenario: Scenario) async throws -> Int {
        let ended = try await scenario.run("start", try job(scenario, bytes: "64KiB"), "--workers", "1", "--json")
        #expect(ended.status == 0, "\(ended.errors)")
        let workers = try #require(try JSON.lines(ended.output).last)["workers"].elements
        let peak = workers.compactMap { $0["peak_rss_bytes"].int }.max() ?? 0
        #expect(peak > 0)
        return peak
    }

    private static func makeWide(_ scenario: Scenario, rows: Int, bytes: Int) async throws {
        try await scenario.session.execute(
            "CREATE TABLE wide (id bigint PRIMARY KEY, pad text)",
            "INSERT INTO wide SELECT i, repeat('x', \(bytes)) FROM generate_series(1, \(rows)) AS i",
            "CREATE TABLE history (rows int)",
            """
            CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN INSERT INTO history SELECT count(*) FROM changed; RETURN NULL; END $$
            """,
            """
            CREATE TRIGGER remember AFTER UPDATE ON wide REFERENCING NEW TABLE AS changed
                FOR EACH STATEMENT EXECUTE FUNCTION remember()
            """)
    }

    private static func job(_ scenario: Scenario, bytes: String) throws -> String {
        try scenario.job(
            """
            table: wide
            read: [pad]
            compute: { transform: passthrough, writes: [pad] }
            batch: { bytes: \(bytes) }
            shards: 1

            """)
    }

    /// A trigger takes 10 ms for each row, so a batch of 100 rows takes longer than the time limit, which is half a
    /// second here.
    @Test(arguments: Items.Kind.allCases) func batchThatTakesTooLongIsTriedSmaller(kind: Items.Kind) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 300)
            try await scenario.session.execute(
                """
                CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END $$
                """, "CREATE TRIGGER slow BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION slow()")
            let ended = try await scenario.run(
                "start", try items.job(kind, batch: 100, shards: 2), "--workers", "2", "--json",
                environment: ["COORD_TEST_STATEMENT_TIMEOUT": "500"])
            #expect(ended.status == 0, "\(ended.errors)")
            let shrunk = try JSON.lines(ended.output).filter { $0["message_type"].string == "batches_shrunk" }
            let rows = try #require(shrunk.last?["rows"].int)
            #expect((6...50).contains(rows))
            #expect(try await scenario.session.int("SELECT batch_rows FROM coord.run") == rows)
            #expect(try await items.violations(run: try await scenario.newestRun()) == [])
            #expect(try await scenario.session.int("SELECT count(*) FROM coord.attempt WHERE outcome <> 'done'") == 0)
        }
    }

    /// The comb's batches have few rows, whatever the job allows: half of what a batch had is tried next. Of 640 rows a
    /// stripe has a few at least. The first twelve rows that a trigger sees, of whichever try, take 0.3 s each.
    @Test func combsBatchThatTakesTooLongIsTriedSmallerAtOnce() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 640)
            try await scenario.session.execute(
                "CREATE SEQUENCE calls",
                """
                CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN PERFORM pg_sleep(0.3) WHERE nextval('calls') <= 12; RETURN NEW; END $$
                """, "CREATE TRIGGER slow BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION slow()")
            let job = try items.job(.setBased, batch: 10_000, shards: 1, more: Items.comb)
            let ended = try await scenario.run(
                "start", job, "--workers", "1", "--json", environment: ["COORD_TEST_STATEMENT_TIMEOUT": "1000"])
            #expect(ended.status == 0, "\(ended.errors)")
            let shrunk = try JSON.lines(ended.output).filter { $0["message_type"].string == "batches_shrunk" }
            #expect(try #require(shrunk.first?["rows"].int) < 50)
            #expect(try await items.violations(run: try await scenario.newestRun()) == [])
        }
    }
}
