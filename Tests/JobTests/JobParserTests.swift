import Sharding
import Testing

@testable import Job

@Suite struct JobParserTests {
    @Test func everyKeyOfAJobIsRead() throws {
        let job = try parse(validJob)
        #expect(job.name == "rebuild-field3")
        #expect(job.table == TableName(schema: "public", name: "Order Items"))
        #expect(job.key == ["a", "B c"])
        #expect(job.predicate == Job.Expression(sql: "field3 IS NULL", line: 4, column: 8))
        let four = "CASE WHEN a > 1 THEN 'x: y'\nELSE '#' END"
        #expect(
            job.change
                == .set([
                    .init(
                        column: "field3",
                        expression: .init(sql: "upper(field1) || '-' || field2 * 3", line: 6, column: 11)),
                    .init(column: "field4", expression: .init(sql: four, line: 8, column: 5)),
                    .init(column: "field5", expression: .init(sql: four, line: 8, column: 5)),
                ]))
        #expect(job.batch == BatchLimits(rows: 500, bytes: 65536))
        #expect(job.shards == .count(12))
        #expect(job.retry == RetryPolicy(attempts: 3, backoff: .milliseconds(500), maxBackoff: .seconds(120)))
        #expect(job.database == "postgresql://app@db/app")
        #expect(job.directory == "/jobs")
        #expect(job.text == validJob)
    }

    @Test func whatAFileLeavesOutHasItsDefault() throws {
        let job = try parse("table: t\nset: { a: b }", file: "some/where/fill-a.v2.yaml")
        #expect(job.name == "fill-a.v2")
        #expect(job.table == TableName(name: "t"))
        #expect(job.key == nil)
        #expect(job.predicate == nil)
        #expect(job.batch == BatchLimits(rows: 1000, bytes: 4_194_304))
        #expect(job.shards == .auto)
        #expect(job.order == nil)
        #expect(job.retry == RetryPolicy(attempts: 5, backoff: .seconds(1), maxBackoff: .seconds(30)))
        #expect(job.database == nil)
    }

    @Test func aComputeKnowsItsProgramAndColumns() throws {
        let command = try parse(
            "table: t\nread: [A, '\"A\"']\ncompute: { command: [run, -n, 5, ''], writes: [c], timeout: 1.5s, numbers: strings }"
        )
        #expect(
            command.change
                == .compute(
                    .init(
                        read: ["a", "A"], writes: ["c"], program: .command(["run", "-n", "5", ""]),
                        timeout: .milliseconds(1500), numbers: .strings)))
        let transform = try parse("table: t\ncompute: { transform: Up_1.x, writes: [c] }")
        #expect(
            transform.change
                == .compute(.init(read: [], writes: ["c"], program: .transform("Up_1.x"), timeout: .seconds(60))))
    }

    @Test(arguments: [("auto", nil), ("1", 1), ("10000", 10_000)])
    func aJobCanSayHowManyWorkersWriteAtATime(yaml: String, inFlight: Int?) throws {
        #expect(try parse("table: t\nset: { a: b }\nin_flight: \(yaml)\n").inFlight == inFlight)
    }

    @Test(arguments: [("comb", Order.comb), ("key", .key), ("'comb'", .comb)])
    func aJobCanSayInWhichOrderItsRowsAreDone(yaml: String, order: Order) throws {
        #expect(try parse("table: t\nset: { a: b }\norder: \(yaml)\n").order == order)
    }

    @Test(arguments: [
        ("7", "7"), ("true", "true"), ("null", "null"), ("-1.50", "-1.50"), ("0x1F", "0x1F"),
        ("\"'it''s'\"", "'it''s'"),
        (">-\n    a\n    || b", "a || b"), ("|\n    a -- x\n    || b", "a -- x\n|| b"), ("!!str x", "x"),
        ("upper(b) # a comment", "upper(b)"), ("'a #> b'", "a #> b"), ("2020-01-01", "2020-01-01"),
    ])
    func aValueIsTheSQLAsWritten(yaml: String, sql: String) throws {
        guard case .set(let assignments) = try parse("table: t\nset:\n  a: \(yaml)\n").change else {
            Issue.record("not a set")
            return
        }
        #expect(assignments.map(\.expression.sql) == [sql])
    }

    @Test(arguments: [
        ("where: a", 3, 8), ("where: 'a'", 3, 9), ("where: &x a", 3, 11), ("where: !!str \"a\"", 3, 15),
        ("where: |\n\n   a", 5, 4), ("where:\n    a", 4, 5), ("where: &x >-\n  a", 4, 3), ("where: &x\n  a", 3, 8),
    ])
    func anExpressionKnowsWhereItsFirstCharacterStands(yaml: String, line: Int, column: Int) throws {
        let predicate = try parse("table: t\nset: { b: c }\n\(yaml)\n").predicate
        let isQuoted = yaml.contains("'") || yaml.contains("\"")
        #expect(predicate == Job.Expression(sql: "a", line: line, column: column, isQuoted: isQuoted))
    }

    @Test(arguments: [
        ("t", [nil, "t"]), ("Public.T", ["public", "t"]), ("public.\"Order Items\"", ["public", "Order Items"]),
        ("'\"weird\"\"name\"'", [nil, "weird\"name"]), ("'\"a.b\".\"c\"'", ["a.b", "c"]),
        ("Ärger$1", [nil, "Ärger$1"]),
        ("'\"select\"'", [nil, "select"]), ("\"plain\"", [nil, "plain"]), ("\"\\\"Id\\\"\"", [nil, "Id"]),
    ])
    func namesFollowPostgreSQLsRules(yaml: String, parts: [String?]) throws {
        let table = try parse("table: \(yaml)\nset: { a: b }").table
        #expect([table.schema, table.name] == parts)
        #expect(try Identifier.parts(of: table.description) == parts.compactMap(\.self), "the description reads back")
    }

    @Test func aNameIsQuotedOnlyWhereNeeded() {
        #expect(TableName(schema: "public", name: "Order Items").description == "public.\"Order Items\"")
        #expect(TableName(name: "a_1").description == "a_1")
        #expect(TableName(name: "1a\"").description == "\"1a\"\"\"")
        // In Swift a quote and a combining accent are one character. In SQL the quote stands alone.
        #expect(
            TableName(name: "a\"\u{301}").description.unicodeScalars.elementsEqual("\"a\"\"\u{301}\"".unicodeScalars))
    }

    @Test func windowsLineEndsAndAByteOrderMarkAreTaken() throws {
        let job = try parse("\u{FEFF}table: t\r\nset:\r\n  a: b\r\nwhere: c\r\n")
        #expect(job.predicate == Job.Expression(sql: "c", line: 4, column: 8))
    }

    @Test func everyPrefixOfAValidFileParsesOrIsRefused() {
        let texts = [
            validJob, "table: t\nread: [a]\ncompute:\n  command: [x, 'y']\n  writes: [\"b\"]\n  timeout: 2m\n",
        ]
        var parsed = 0
        var refused = 0
        for text in texts {
            for end in text.unicodeScalars.indices {
                if refusal(of: String(text.unicodeScalars[..<end])) == nil { parsed += 1 } else { refused += 1 }
            }
        }
        #expect(parsed > 0)
        #expect(refused > 0)
    }

    @Test func everyChangedCharacterParsesOrIsRefused() {
        let scalars = Array(validJob.unicodeScalars)
        for index in scalars.indices {
            for replacement in ["\0", "\t", "\n", "*", "&", "[", "'", "\"", ":", "-", "#", "\u{85}", "\u{1F600}"]
                as [Unicode.Scalar]
            {
                var changed = String.UnicodeScalarView()
                changed.append(contentsOf: scalars)
                changed.replaceSubrange(
                    changed.index(
                        changed.startIndex, offsetBy: index)..<changed.index(changed.startIndex, offsetBy: index + 1),
                    with: [replacement])
                let error = refusal(of: String(changed))
                #expect(error?.errors.isEmpty != true)
            }
        }
    }

    @Test(arguments: ["[", "{a: ", "- ", "? ", "a: [", "[\n"])
    func deepNestingIsRefusedAndNotRecursedInto(opening: String) {
        for count in [200, 300, 20_000] {
            let error = refusal(of: String(repeating: opening, count: count))
            #expect(error != nil)
            if count > 256 { #expect(error?.message == "the YAML is nested deeper than 256 levels") }
        }
    }
}

@Suite struct FingerprintTests {
    let base = "name: n\ntable: t\nwhere: x\nset: { a: 1, b: 2 }\n"

    @Test func theFingerprintIsStable() throws {
        #expect(
            try parse(base).fingerprint
                == "job 1\nname \"n\"\ntable \"t\"\nwhere \"x\"\nset \"a\" \"1\"\nset \"b\" \"2\"\n")
    }

    @Test(arguments: [
        "table: T\nname: n\nset: { b: 2, a: 1 }\nwhere: |\n  x\n",
        "name: n # note\ntable: t\nwhere: x\nset: { a: 1, b: 2 }\nbatch: { rows: 5 }\nshards: 7\nretry: { attempts: 2 }\n"
            + "database: app\nledger_schema: ops\norder: comb\n",
        // The order is not part of the fingerprint: a run that began in one order continues in it, whatever the file
        // says now.
        "name: n\ntable: t\nwhere: x\nset: { a: 1, b: 2 }\norder: key\n",
    ])
    func limitsOrderAndLayoutDoNotChangeTheDefinition(text: String) throws {
        #expect(try parse(text).fingerprint == parse(base).fingerprint)
    }

    @Test func noValueCanPassForAnotherLineOfTheFingerprint() throws {
        let fingerprint = try parse("table: t\nset: { a: b }\nwhere: |\n  x\n  set \"c\" \"d\\\"\n").fingerprint
        #expect(fingerprint.split(separator: "\n").count == 5)
        #expect(fingerprint.contains(#"where "x\nset \"c\" \"d\\\"""#))
    }

    @Test func everyPartOfTheDefinitionChangesTheFingerprint() throws {
        let compute = "name: n\ntable: t\nread: [c]\ncompute: { command: [x, y], writes: [a] }"
        let texts = [
            base, "name: m\ntable: t\nwhere: x\nset: { a: 1, b: 2 }",
            "name: n\ntable: s.t\nwhere: x\nset: { a: 1, b: 2 }",
            "name: n\ntable: t\nwhere: y\nset: { a: 1, b: 2 }", "name: n\ntable: t\nset: { a: 1, b: 2 }",
            "name: n\ntable: t\nwhere: x\nset: { a: 1, b: 3 }", "name: n\ntable: t\nwhere: x\nset: { a: 1 }",
            "name: n\ntable: t\nkey: id\nwhere: x\nset: { a: 1, b: 2 }",
            "name: n\ntable: t\nset: { a: 1, b: 2 }\nwhere: |\n  x\"\n  set \"a\" \"1\"",
            compute, "name: n\ntable: t\nread: [d]\ncompute: { command: [x, y], writes: [a] }",
            "name: n\ntable: t\nread: [c]\ncompute: { command: [x y], writes: [a] }",
            "name: n\ntable: t\nread: [c]\ncompute: { transform: x, writes: [a] }",
            "name: n\ntable: t\nread: [c]\ncompute: { command: [x, y], writes: [b] }",
        ]
        #expect(try Set(texts.map { try parse($0).fingerprint }).count == texts.count)
        let timed = "name: n\ntable: t\nread: [c]\ncompute: { command: [x, y], writes: [a], timeout: 1s }"
        #expect(try parse(timed).fingerprint == parse(compute).fingerprint)
        // `numbers` is not part of the fingerprint, so that a run which stopped for numbers that lose digits can
        // continue.
        let strings = "name: n\ntable: t\nread: [c]\ncompute: { command: [x, y], writes: [a], numbers: strings }"
        #expect(try parse(strings).fingerprint == parse(compute).fingerprint)
    }
}
