import Glibc
import Support
import Testing

/// A type of key column, and keys of that type that are hard to get right.
struct KeyCase: Sendable, CustomTestStringConvertible {
    var type: String
    /// A query for the keys, with one column.
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
            // A server that was built without ICU has no ICU collation.
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
                // Few rows in the middle meet the condition, so that whole batches hold none.
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

/// Keys of several columns, from the plan to the last row, under faults.
@Suite struct CompositeKeyTests {
    static let keys = [
        (
            "a int, b text",
            "i / 40 - 3, (ARRAY['', 'NULL', 'a,b', '{\"x\"}', 'O''Brien', 'ä', 'Z', E'\\n'])[i % 8 + 1] || i % 40"
        ),
        (
            "a uuid, b smallint, c varchar(40), d bigint",
            "md5((i / 100)::text)::uuid, i % 3, 'k' || i % 7, i * 1000000007::bigint"
        ),
    ]

    /// Makes the table with 400 rows, the history of its changes, and the job.
    private static func make(_ scenario: Scenario, _ key: (columns: String, values: String), _ change: String)
        async throws -> (job: String, names: [String])
    {
        let names = key.columns.split(separator: ",").map { String($0.split(separator: " ")[0]) }
        let list = names.joined(separator: ", ")
        // The program returns each row whole, so it need not know the names of the key's columns.
        let program = """
            import json, sys
            for line in sys.stdin:
                row = json.loads(line)
                row["n"] += 1
                print(json.dumps(row), flush=True)
            """
        try scenario.write(program, to: "count_up.py")
        try await scenario.session.execute(
            "CREATE TABLE items (\(key.columns), n int NOT NULL DEFAULT 0, PRIMARY KEY (\(list)))",
            "INSERT INTO items (\(list)) SELECT \(key.values) FROM generate_series(0, 399) AS i", "ANALYZE items",
            "CREATE TABLE history (key text, xid bigint)",
            """
            CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                INSERT INTO history VALUES (ROW(\(names.map { "NEW.\($0)" }.joined(separator: ", ")))::text, txid_current());
                PERFORM pg_sleep(0.002);
                RETURN NULL;
            END $$
            """,
            "CREATE TRIGGER remember AFTER UPDATE ON items FOR EACH ROW EXECUTE FUNCTION remember()")
        return (
            try scenario.job(
                "table: items\n\(change)\nbatch: { rows: 7 }\nshards: 4\n\(Items.patient)\(Items.atTheGate)"), names
        )
    }

    private static func change(_ kind: Items.Kind) -> String {
        kind == .setBased
            ? "set: { n: n + 1 }" : "read: [n]\ncompute: { command: [python3, count_up.py], writes: [n] }"
    }

    @Test(arguments: keys, Items.Kind.allCases)
    func everyRowIsChangedOnceThoughWorkersAndCoordinatorAreKilled(
        key: (columns: String, values: String), kind: Items.Kind
    ) async throws {
        try await Scenario.run { scenario in
            let (job, names) = try await Self.make(scenario, key, Self.change(kind))
            var coordinator = try scenario.coord("start", job, "--workers", "2")
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) >= 50 }
            // Meanwhile somebody holds one row and changes another.
            let user = scenario.connect()
            let order = names.map { "\($0) DESC" }.joined(separator: ", ")
            let list = names.joined(separator: ", ")
            try await user.execute(
                "BEGIN", "SELECT FROM items WHERE n = 0 ORDER BY \(order) LIMIT 1 FOR UPDATE")
            kill(try await first("there is a worker") { scenario.workers.first }, SIGKILL)
            try await eventually("more rows are done") { try await scenario.rowsDone(run) >= 120 }
            coordinator.send(SIGKILL)
            _ = try await coordinator.ended()
            await user.close()
            coordinator = try scenario.coord("resume", "\(run)", "--workers", "2", "--json")
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
            let wrong = try await scenario.session.int(
                """
                SELECT count(*) FROM (
                    SELECT FROM items LEFT JOIN history ON key = ROW(\(list))::text
                    GROUP BY \(list) HAVING count(xid) <> 1 OR min(n) <> 1) AS w
                """)
            #expect(wrong == 0)
            let deferred = try await scenario.session.int("SELECT count(*) FROM coord.shard WHERE deferred <> '{}'")
            #expect(deferred == 0)
        }
    }

    @Test func planAndShardsShowTheKeyInAllItsColumns() async throws {
        try await Scenario.run { scenario in
            let (job, _) = try await Self.make(scenario, Self.keys[0], Self.change(.setBased))
            let text = try await scenario.run("plan", job)
            #expect(text.status == 0, "\(text.errors)")
            #expect(text.output.contains("key (a, b)"), "\(text.output)")
            let plan = try JSON(try await scenario.run("plan", job, "--json").output)
            #expect(plan["key"].string == "(a, b)")
            let end = plan["ranges"].elements.last?["through"].elements.map(\.string)
            let last = try await scenario.session.text("SELECT b FROM items ORDER BY a DESC, items.b DESC LIMIT 1")
            #expect(end == ["6", last])
            #expect(try await scenario.run("start", job, "--workers", "2").status == 0)
            let shards = try JSON(try await scenario.run("shards", "1", "--json").output)
            #expect(shards.elements.last?["checkpoint"].elements.map(\.string) == end)
            #expect(shards.elements.first?["after"].isNull == true)
        }
    }

    @Test(arguments: Items.Kind.allCases) func errorOfARowNamesItsWholeKey(kind: Items.Kind) async throws {
        try await Scenario.run { scenario in
            let (job, _) = try await Self.make(scenario, Self.keys[0], Self.change(kind))
            try await scenario.session.execute(
                "ALTER TABLE items ADD CHECK (n = 0 OR a <> 2 OR b <> 'ä5')")
            let ended = try await scenario.run("start", job, "--workers", "2")
            #expect(ended.status == 3)
            #expect((ended.output + ended.errors).contains("row (a, b) (2, ä5): "), "\(ended.output)\(ended.errors)")
        }
    }

    @Test func programIsAskedAndAnswersByAllColumnsOfTheKey() async throws {
        try await Scenario.run { scenario in
            let program = """
                import json, os, sys
                assert json.loads(os.environ["COORD_KEY"]) == ["a", "b"]
                assert [c["name"] for c in json.loads(os.environ["COORD_COLUMNS"])] == ["a", "b", "n"]
                for line in sys.stdin:
                    row = json.loads(line)
                    assert list(row) == ["a", "b", "n"] and isinstance(row["a"], int) and isinstance(row["b"], str), row
                    print(json.dumps({"b": row["b"], "n": row["a"] * 1000 + len(row["b"]), "a": str(row["a"])}), flush=True)
                """
            try scenario.write(program, to: "by_key.py")
            let change = "read: [n]\ncompute: { command: [python3, by_key.py], writes: [n] }"
            let (job, _) = try await Self.make(scenario, Self.keys[0], change)
            let ended = try await scenario.run("start", job, "--workers", "2")
            #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
            let wrong = try await scenario.session.int("SELECT count(*) FROM items WHERE n <> a * 1000 + length(b)")
            #expect(wrong == 0)
        }
    }
}
