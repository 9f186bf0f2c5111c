import Testing

/// A key column and values that are hard to get right.
struct KeyCase: Sendable, CustomTestStringConvertible {
    var type: String
    /// A query of one column.
    var values: String
    init(_ type: String, _ values: String) {
        self.type = type
        self.values = values
    }
    var testDescription: String { type }

    static let texts = """
        VALUES (''), (' '), ('  '), ('O''Brien'), ('"quoted"'), ('a b'), ('back\\slash'), ('\\'), ('{x,y}'), ('NULL'),
            ('null'), (E'tab\\there'), (E'line\\nbreak'), (E'\\x01'), ('Ähre'), ('ähre'), ('zebra'), ('Zebra'), ('日本語'),
            ('🙂'), (U&'e\\0301'), ('é'), ('%s'), ('$1'), ('--'), (';'), ('0'), ('00'), ('-1'), ('true'), ('[1]')
        """
}

@Suite struct KeyTests {
    static let cases = [
        KeyCase("smallint", "SELECT i::smallint FROM generate_series(-32768, 32767, 4369) AS i"),
        KeyCase(
            "int",
            "VALUES (-2147483648), (-2147483647), (-10), (-9), (-1), (0), (1), (9), (10), (99), (2147483646), (2147483647)"
        ),
        KeyCase(
            "bigint",
            """
            VALUES ('-9223372036854775808'::bigint), (-4294967296), (-1), (0), (1), (2147483648), (4294967296),
                (9007199254740993), (9223372036854775806), (9223372036854775807)
            """),
        KeyCase(
            "uuid",
            """
            SELECT md5(i::text)::uuid FROM generate_series(1, 30) AS i UNION ALL
            VALUES ('00000000-0000-0000-0000-000000000000'::uuid), ('ffffffff-ffff-ffff-ffff-ffffffffffff')
            """),
        KeyCase("text", KeyCase.texts),
        KeyCase("text COLLATE \"en-x-icu\"", KeyCase.texts),
        KeyCase("varchar(20)", KeyCase.texts),
    ]

    @Test(arguments: cases, Items.Kind.allCases)
    func everyRowIsChangedOnceWhateverItsKey(_ case: KeyCase, kind: Items.Kind) async throws {
        try await Scenario.run { scenario in
            // A server that was built without ICU has none of its collations.
            if let collation = `case`.type.split(separator: "\"").dropFirst().first {
                let found = "SELECT EXISTS (SELECT FROM pg_collation WHERE collname = '\(collation)')"
                guard try await scenario.session.bool(found) == true else { return }
            }
            try scenario.program("plus_one.py")
            try await scenario.session.execute(
                "CREATE SCHEMA \"My \"\"Shop\"\"\"",
                "CREATE TABLE \"My \"\"Shop\"\"\".\"Order Items\" (\"The Key\" \(`case`.type) PRIMARY KEY, n int DEFAULT 0)",
                "INSERT INTO \"My \"\"Shop\"\"\".\"Order Items\" \(`case`.values)",
                "CREATE TABLE history (key text COLLATE \"C\", xid bigint)",
                """
                CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN INSERT INTO history VALUES (NEW."The Key"::text, txid_current()); RETURN NULL; END $$
                """,
                """
                CREATE TRIGGER remember AFTER UPDATE ON "My ""Shop""\"."Order Items"
                    FOR EACH ROW EXECUTE FUNCTION remember()
                """)
            let change =
                kind == .setBased
                ? "set: { n: n + 1 }" : "read: [n]\ncompute: { command: [python3, plus_one.py], writes: [n] }"
            let job = try scenario.job(
                "table: '\"My \"\"Shop\"\"\".\"Order Items\"'\n\(change)\nbatch: { rows: 2 }\nshards: 3\nretry: { attempts: 2, backoff: 10ms }\n"
            )
            let ended = try await scenario.run("start", job, "--workers", "2")
            #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
            let shards = try await scenario.session.int("SELECT count(*) FROM coord.shard")
            #expect(shards == 3)
            let wrong = try await scenario.session.int(
                """
                SELECT count(*) FROM (
                    SELECT FROM "My ""Shop""\"."Order Items" AS t LEFT JOIN history AS h
                        ON h.key = t."The Key"::text COLLATE "C"
                    GROUP BY t."The Key", t.n HAVING t.n <> 1 OR count(h.xid) <> 1) AS q
                """)
            #expect(wrong == 0)
        }
    }
}

@Suite struct SizeTests {
    @Test(arguments: Items.Kind.allCases)
    func emptyTableIsCompleteAtOnce(kind: Items.Kind) async throws {
        try await runOver(rows: 0, kind)
    }

    @Test(arguments: Items.Kind.allCases)
    func singleRowIsChangedOnce(kind: Items.Kind) async throws {
        try await runOver(rows: 1, kind)
    }

    @Test(arguments: Items.Kind.allCases)
    func rowsThatFillTheirBatchesExactlyAreChangedOnce(kind: Items.Kind) async throws {
        try await runOver(rows: 100, kind)
    }

    private func runOver(rows: Int, _ kind: Items.Kind) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: rows)
            let ended = try await scenario.run("start", try items.job(kind, batch: 10), "--workers", "2", "--json")
            #expect(ended.status == 0, "\(ended.errors)")
            let summary = try #require(try JSON.lines(ended.output).last)
            #expect(summary["state"].string == "complete")
            #expect(summary["rows_done"].int == rows)
            #expect(try await items.violations(run: 1) == [])
        }
    }

    @Test func onlyRowsThatMeetTheConditionChange() async throws {
        try await Scenario.run { scenario in
            try scenario.program("plus_one.py")
            for (table, change) in [
                ("a", "set: { n: n + 1 }"),
                ("b", "read: [n]\ncompute: { command: [python3, plus_one.py], writes: [n] }"),
            ] {
                try await scenario.session.execute(
                    "CREATE TABLE \(table) (id bigint PRIMARY KEY, n int NOT NULL DEFAULT 0)",
                    "INSERT INTO \(table) SELECT generate_series(1, 5000)")
                // Few rows in the middle, so that whole batches hold none.
                let job = try scenario.job(
                    "table: \(table)\nwhere: id % 7 = 0 AND id BETWEEN 2000 AND 3000\n\(change)\nbatch: { rows: 10 }\n",
                    file: "\(table).yaml")
                let ended = try await scenario.run("start", job, "--workers", "2")
                #expect(ended.status == 0, "\(ended.errors)")
                let wrong = try await scenario.session.int(
                    """
                    SELECT count(*) FROM \(table)
                    WHERE n <> CASE WHEN id % 7 = 0 AND id BETWEEN 2000 AND 3000 THEN 1 ELSE 0 END
                    """)
                #expect(wrong == 0, "\(change)")
            }
        }
    }
}
