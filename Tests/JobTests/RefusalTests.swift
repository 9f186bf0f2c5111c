import Testing

@testable import Job

@Suite struct RefusalTests {
    @Test(arguments: [
        Refusal("", line: nil, "the file is empty", mend: "table"),
        Refusal("# only a comment\n", line: nil, "the file is empty"),
        Refusal("---\n", line: nil, "the file is empty"),
        Refusal("just text", line: 1, "a job file must be a mapping, not a single value", mend: "table: public.items"),
        Refusal("- a\n- b", line: 1, "a job file must be a mapping, not a list"),
        Refusal("table: t\nset:\n\ta: b", line: 3, "a tab is used for indentation", mend: "Indent with spaces"),
        Refusal("table: t\nset: { a: b", line: 2, "a mapping in { } is not closed"),
        Refusal(
            "table: t\nkey: [a\nset: { a: b }", line: 3,
            "a list in [ ] is not closed, or a ',' is missing (it was opened on line 2)"),
        Refusal("table: t\nset:\n  a: 'x' || b\n", line: 3, "after '|' or '>' the line must end", mend: "column: |"),
        Refusal("table: t\nset:\n  a: 'x' + b\n", line: 3, "a key is expected here", mend: "column: |"),
        Refusal("table: t\nset:\n  a: b\n c: d\n", line: 4, "a key is expected here", mend: "indentation"),
        Refusal("table: t\nkey:\n  - a\n  b\nset: { a: b }", line: 4, "a key has no ':'"),
        Refusal("table: t\nset:\n  a: 'x\n", line: 3, "a quote is not closed", mend: "''"),
        Refusal("table: t\nset:\n  a: b: c\n", line: 3, "a ':' stands where no key can be", mend: "quotes"),
        Refusal("table t\nset: { a: b }", line: 2, "a ':' stands where no key can be"),
        Refusal("table: t\nset\nwhere: x", line: 2, "a key has no ':'"),
        Refusal("table: t\nset:\n  a: @b", line: 3, "a value cannot start with this character", mend: "quotes"),
        Refusal("table: t\nset:\n  a: *b", line: 3, "an alias (*name) has no anchor", mend: "quotes"),
        Refusal("table: t\nset:\n  a: \"\\q\"", line: 3, "an escape in a \"...\" text is not known"),
        Refusal("table: t\nset: { a: b }\n---\nx: y", line: 3, "more than one YAML document", mend: "---"),
        Refusal("table: t\nset: { a: \u{1} }", line: 2, "a character that YAML does not allow"),
        Refusal("table: t\nset: { a: b }\n? [x]\n: y", line: 3, "a key must be text"),
    ])
    func malformedYAMLIsToldInPlainWords(refusal: Refusal) throws {
        try refusal.check()
    }

    @Test(arguments: [
        Refusal.adding("shard: 4", "unknown key 'shard' (did you mean 'shards'?)"),
        .adding("tabel: x", "unknown key 'tabel' (did you mean 'table'?)"),
        .adding("Where: x", "unknown key 'Where' (did you mean 'where'?)"),
        .adding("colour: x", "unknown key 'colour'", mend: "The keys here are name, table,"),
        .adding("rows: 4", "unknown key 'rows'", mend: "It belongs under 'batch'"),
        .adding("max_backoff: 4", "unknown key 'max_backoff'", mend: "It belongs under 'retry'"),
        .adding("batch: { row: 4 }", "unknown key 'row' in 'batch' (did you mean 'rows'?)"),
        .adding(
            "retry:\n  max-backoff: 4s", line: 4, "unknown key 'max-backoff' in 'retry' (did you mean 'max_backoff'?)"),
        .compute(
            "  command: [x]\n  writes: [a]\n  read: [b]", line: 5, "unknown key 'read' in 'compute'", mend: "top level"),
        .adding("<<: { x: y }", "unknown key '<<'"),
        .adding("where:", "'where' has no value", mend: "remove the key"),
        .adding("key: ~", "'key' has no value"),
        .adding("table: x", "the key 'table' is given twice; the first is on line 1", mend: "Keep one"),
        .adding("batch:\n  rows: 1\n  rows: 2", line: 5, "the key 'rows' is given twice; the first is on line 4"),
        .adding("batch: { rows: 1, rows: 2 }", "the key 'rows' is given twice"),
    ])
    func unknownEmptyAndRepeatedKeysAreNamed(refusal: Refusal) throws {
        try refusal.check()
    }

    @Test(arguments: [
        Refusal("set: { a: b }", line: 1, "there is no 'table'", mend: "table: public.items"),
        Refusal("table: t", line: 1, "there is neither 'set' nor 'compute'", mend: "set: {"),
        .adding("compute: { transform: x, writes: [a] }", "there are both 'set' and 'compute'", mend: "Keep 'set'"),
        .adding("read: [b]", "'read' is for 'compute'", mend: "Remove 'read'"),
        Refusal("table: t\nset: {}", line: 2, "'set': there is no column"),
        Refusal("table: t\nset:", line: 2, "'set' has no value"),
        Refusal("table: t\nset:\n  a:", line: 3, "'set.a': there is no SQL here", mend: "null"),
        Refusal("table: t\nset:\n  a: ~", line: 3, "'set.a': there is no SQL here"),
        Refusal("table: t\nset:\n  a: ' '", line: 3, "'set.a': there is no SQL here"),
        Refusal(
            "table: t\nset:\n  a: data #>> '{x}'", line: 3, "YAML takes ' #' for the start of a comment", mend: "'|'"),
        Refusal("table: t\nset:\n  a: \"\\0\"", line: 3, "'set.a': a NUL character is not allowed"),
        Refusal("table: t\nset:\n  a: 1\n  A: 2", line: 4, "the column 'a' is named twice"),
        .adding("key: a", line: 2, "the column 'a' is part of the key and cannot change"),
        .compute("  command: [x]", line: 2, "'compute' does not say which columns it writes", mend: "writes: [price]"),
        .compute("  command: [x]\n  writes: []", line: 4, "'compute.writes': the list is empty"),
        .compute("  command: [x]\n  writes:", line: 4, "'compute.writes' has no value"),
        .compute("  writes: [a]", line: 2, "'compute' has neither 'command' nor 'transform'", mend: "command: ["),
        .compute(
            "  writes: [a]\n  command: [x]\n  transform: y", line: 5, "'compute' has both 'command' and 'transform'"),
        .compute("  command: [x]\n  writes: [a, A]", line: 4, "the column 'a' is named twice"),
        .compute("  command: [x]\n  writes: [a]\nread: [b, b]", line: 5, "'read': the column 'b' is named twice"),
        .compute("  command: [x]\n  writes: [id]\nkey: [id]", line: 4, "the column 'id' is part of the key"),
        .compute("  command: []\n  writes: [a]", "'compute.command': there is no program"),
        .compute("  command: ['']\n  writes: [a]", "'compute.command': there is no program"),
        .compute("  transform: a b\n  writes: [a]", "'a b' is not a transform's name"),
    ])
    func aJobHasATableAndOneKindOfNewValues(refusal: Refusal) throws {
        try refusal.check()
    }

    @Test(arguments: [
        Refusal(
            "table: [a]\nset: { a: b }", line: 1, "'table' must be a table, not a list", mend: "table: public.items"),
        .adding("name: [x]", "'name' must be text, not a list"),
        .adding("key: { x: y }", "'key' must be a column or a list of columns, not a mapping", mend: "[a, b]"),
        .adding("where: [a]", "'where' must be SQL text, not a list", mend: "where: price IS NULL"),
        .adding("batch: 100", "'batch' must be a mapping, not a single value", mend: "{ rows: 1000"),
        .adding("batch: { rows: [1] }", "'batch.rows' must be a whole number, not a list"),
        .adding("retry: [1]", "'retry' must be a mapping, not a list"),
        .adding("shards: { x: y }", "'shards' must be auto or a number, not a mapping"),
        .adding("database: { x: y }", "'database' must be text, not a mapping"),
        Refusal("table: t\nset: [a]", line: 2, "'set' must be a mapping, not a list"),
        Refusal("table: t\nset: { a: [b] }", line: 2, "'set.a' must be SQL text, not a list"),
        Refusal("table: t\ncompute: x", line: 2, "'compute' must be a mapping, not a single value"),
        .compute(
            "  command: run.py\n  writes: [a]", "'compute.command' must be a list of words",
            mend: "[python3, compute.py]"),
        .compute("  command: [[x]]\n  writes: [a]", "'compute.command' must be text, not a list"),
        .compute(
            "  command: [x]\n  writes: [a]\n  numbers: exact", line: 5,
            "'compute.numbers': 'exact' is neither json nor strings", mend: "numbers: strings"),
        .compute(
            "  transform: x\n  writes: [a]\n  numbers: json", line: 5, "'numbers' is for 'command'",
            mend: "Remove 'numbers'."),
        .compute("  command: [x]\n  writes: a", line: 4, "'compute.writes' must be a list of columns"),
        .compute(
            "  command: [x]\n  writes: [a]\nread: b", line: 5, "'read' must be a list of columns", mend: "read: ["),
    ])
    func aValueOfTheWrongKindIsToldWhatWasWanted(refusal: Refusal) throws {
        try refusal.check()
    }

    @Test(arguments: [
        Refusal.adding("batch: { rows: 0 }", "'batch.rows': '0' is out of range: 1 to 100000"),
        .adding("batch: { rows: 100001 }", "out of range: 1 to 100000"),
        .adding("batch: { rows: -5 }", "'-5' is out of range"),
        .adding("batch: { rows: 99999999999999999999 }", "out of range: 1 to 100000"),
        .adding("batch: { rows: 1.5 }", "'1.5' is not a whole number", mend: "digits only"),
        .adding("batch: { rows: 1_000 }", "'1_000' is not a whole number"),
        .adding("batch: { bytes: 4095 }", "'4095' is out of range: 4KiB to 256MiB"),
        .adding("batch: { bytes: 257MiB }", "'257MiB' is out of range"),
        .adding("batch: { bytes: 99999999999999GiB }", "out of range"),
        .adding("batch: { bytes: 4 MiB }", "'4 MiB' is not a number of bytes", mend: "64KiB"),
        .adding("batch: { bytes: 4mb }", "'4mb' is not a number of bytes"),
        .adding("shards: 0", "'shards': '0' is out of range: 1 to 100000"),
        .adding("shards: 100001", "out of range: 1 to 100000"),
        .adding("shards: many", "'many' is neither auto nor a number", mend: "shards: 64"),
        .adding("order: combs", "'order': 'combs' is neither comb nor key", mend: "order: comb"),
        .adding("shards: 4\norder: Key", line: 4, "'order': 'Key' is neither comb nor key"),
        .adding("order: [comb]", "'order' must be comb or key, not a list", mend: "order: comb"),
        .adding("in_flight: many", "'in_flight': 'many' is neither auto nor a number", mend: "in_flight: 4"),
        .adding("in_flight: 0", "'in_flight': '0' is out of range: 1 to 10000"),
        .adding("order:", "'order' has no value"),
        .adding("batch: { order: comb }", "unknown key 'order' in 'batch'", mend: "top level"),
        .adding("retry: { attempts: 0 }", "'retry.attempts': '0' is out of range: 1 to 100"),
        .adding("retry: { attempts: 101 }", "out of range: 1 to 100"),
        .adding("retry: { backoff: 1 }", "'retry.backoff': '1' has no unit of time", mend: "Write 1s"),
        .adding("retry: { backoff: 1.5 }", "'1.5' has no unit of time", mend: "1.5s"),
        .adding("retry: { backoff: soon }", "'soon' is not a length of time", mend: "500ms"),
        .adding("retry: { backoff: 1.s }", "'1.s' is not a length of time"),
        .adding("retry: { backoff: 1d }", "'1d' is not a length of time"),
        .adding("retry: { backoff: 0s }", "'0s' is out of range: 1ms to 1h"),
        .adding("retry: { max_backoff: 25h }", "'25h' is out of range: 1ms to 24h"),
        .adding("retry: { backoff: 9223372036854775807h }", "out of range: 1ms to 1h"),
        .adding("retry: { backoff: 2s, max_backoff: 1s }", "'retry.max_backoff': max_backoff is shorter than backoff"),
        .adding(
            "retry: { backoff: 31s }", "max_backoff (30s when not given) is shorter than backoff",
            mend: "at least as long"),
        .compute(
            "  command: [x]\n  writes: [a]\n  timeout: 60", line: 5, "'60' has no unit of time", mend: "Write 60s"),
        .compute("  command: [x]\n  writes: [a]\n  timeout: 25h", line: 5, "'25h' is out of range: 1ms to 24h"),
    ])
    func aNumberOutOfRangeIsToldTheRange(refusal: Refusal) throws {
        try refusal.check()
    }

    @Test(arguments: [
        Refusal("table: Order Items\nset: { a: b }", line: 1, "'Order Items' is not a name", mend: "'\"Order Items\"'"),
        Refusal(
            "table: a.b.c\nset: { a: b }", line: 1, "a table's name has one or two parts, not 3", mend: "database:"),
        Refusal("table: a.\nset: { a: b }", line: 1, "a name in 'a.' is empty"),
        Refusal("table: '\"\"'\nset: { a: b }", line: 1, "is empty"),
        Refusal("table: '\"a'\nset: { a: b }", line: 1, "has no closing '\"'"),
        Refusal("table: '\"a\"b'\nset: { a: b }", line: 1, "is not a name"),
        Refusal("table: 1a\nset: { a: b }", line: 1, "'1a' is not a name"),
        Refusal("table: a\u{A0}b\nset: { a: b }", line: 1, "is not a name"),
        Refusal(
            "table: \"Orders\"\nset: { a: b }", line: 1, "not clear whether 'Orders' keeps its case",
            mend: "'\"Orders\"'"),
        Refusal("table: \(String(repeating: "é", count: 32))\nset: { a: b }", line: 1, "longer than 63 bytes"),
        .adding("key: a.b", "a column's name has one part, not 2"),
        .adding("key: []", "'key': the list is empty", mend: "primary key"),
        .adding("key: [x, X]", "the column 'x' is named twice"),
        .adding(
            "key: [\(Array(repeating: "x", count: 33).joined(separator: ","))]", "33 items are more than the limit, 32"),
        Refusal("table: t\nset: { 'a b': c }", line: 2, "'a b' is not a name"),
        .adding("name: Has Capitals", "'Has Capitals' is not a name", mend: "1 to 63 of a-z"),
        .adding("name: -x", "'-x' is not a name"),
        .adding("name: \(String(repeating: "x", count: 64))", "is not a name"),
        .adding("name: ''", "'' is not a name"),
    ])
    func aNameThatPostgreSQLWouldNotTakeIsRefused(refusal: Refusal) throws {
        try refusal.check()
    }

    @Test func aFileNameThatGivesNoJobNameIsTold() throws {
        let error = try #require(refusal(of: "table: t\nset: { a: b }", file: "jobs/My Job.yaml"))
        #expect(error.line == nil)
        #expect(error.message == "the file's name, 'My Job.yaml', gives no name for the job")
        #expect(error.mend?.contains("Add 'name:'") == true)
    }

    @Test func theDescriptionHasThePlaceTheMessageAndTheMend() throws {
        let error = try #require(refusal(of: "table: t\nset: { a: b }\nbatch:\n  rows: 0\n  row: 4\n  bytes: x"))
        #expect(
            error.description == """
                jobs/a.yaml:4:9: 'batch.rows': '0' is out of range: 1 to 100000
                jobs/a.yaml:5:3: unknown key 'row' in 'batch' (did you mean 'rows'?)
                jobs/a.yaml:6:10: 'batch.bytes': 'x' is not a number of bytes
                    Write a whole number and a unit without a space: 65536, 64KiB, 4MiB, 4MB.
                """)
        #expect(error.key == "batch.rows")
        #expect(error.errors.map(\.line) == [4, 5, 6])
    }

    @Test func atMostTenErrorsAreTold() throws {
        let text = (1...5000).map { "unknown\($0): x\n" }.joined()
        let error = try #require(refusal(of: "table: t\nset: { a: b }\n" + text))
        #expect(error.errors.map(\.line) == Array(3...12))
    }

    @Test func aMessageHoldsNoControlCharacters() throws {
        let error = try #require(refusal(of: "table: t\nset: { a: b }\n\"\\e[31m\\n\": x"))
        #expect(error.message.contains("\\u{1b}[31m\\u{a}"))
        #expect(error.line == 3)
    }

    @Test func aFileOverTheLimitIsRefused() throws {
        let comment = "# " + String(repeating: "x", count: Job.maximumFileBytes)
        let error = try #require(refusal(of: "table: t\nset: { a: b }\n" + comment))
        #expect(error.message.contains("larger than 1 MiB"))
    }
}
