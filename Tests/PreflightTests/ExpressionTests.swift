import Batches
import Job
import Ledger
import Postgres
import Preflight
import Support
import Testing

@Suite(.database) struct ExpressionTests {
    private let fixture: PreflightFixture

    init() throws {
        fixture = try PreflightFixture(
            "CREATE TABLE items (id int PRIMARY KEY, v int, w int, name text, at timestamptz)",
            "INSERT INTO items SELECT i, i, i, 'n' || i FROM generate_series(1, 10) AS i")
    }

    /// A job file, the place of its error, words of the message, and the line with the caret below it.
    struct Located: Sendable, CustomTestStringConvertible {
        let yaml: String
        let place: String
        let message: String
        var excerpt: String?
        var testDescription: String { yaml.debugDescription }
    }

    static let located: [Located] = [
        Located(
            yaml: "table: items\nset: { v: price * 2 }\n", place: "2:11",
            message: "set v: column \"price\" does not exist",
            excerpt: "price * 2\n  ^"),
        Located(
            yaml: "table: items\nset:\n  v: w + price\n", place: "3:10", message: "\"price\"",
            excerpt: "w + price\n      ^"),
        Located(
            yaml: "table: items\nset:\n  v: \"w + price\"\n", place: "3:11", message: "\"price\"",
            excerpt: "w + price\n      ^"),
        Located(
            yaml: "table: items\nset:\n  v: |\n\n    w + length('ä') - price +\n    1\n", place: "5:23",
            message: "\"price\"",
            excerpt: "w + length('ä') - price +\n                    ^"),
        Located(
            yaml: "table: items\nset: { v: w +* 2 }\n", place: "2:13", message: "operator does not exist"),
        Located(
            yaml: "table: items\nset: { v: CASE w END }\n", place: "2:18", message: "syntax error at or near \"END\""),
        Located(
            yaml: "table: items\nset: { v: upper(w) }\n", place: "2:11",
            message: "function upper(integer) does not exist"),
        Located(
            yaml: "table: items\nset: { v: name }\n", place: "2:11",
            message: "column \"v\" is of type integer but expression"),
        Located(yaml: "table: items\nset: { at: \"'never'\" }\n", place: "2:13", message: "invalid input syntax"),
        Located(
            yaml: "table: items\nwhere: w\nset: { v: 1 }\n", place: "2:8", message: "where: argument of WHERE must be"),
        Located(
            yaml: "table: items\nwhere: w > 1 AND price > 2\nset: { v: 1 }\n", place: "2:18",
            message: "where: column \"price\"",
            excerpt: "w > 1 AND price > 2\n            ^"),
        Located(
            yaml: "table: items\nwhere: price > 2\ncompute: { command: [x], writes: [v] }\n", place: "2:8",
            message: "where: column \"price\""),
        Located(
            yaml: "table: items\nset: { v: max(w) }\n", place: "2:11", message: "aggregate functions are not allowed"),
        Located(
            yaml: "table: items\nset: { v: \"generate_series(1, 2)\" }\n", place: "2:12",
            message: "set-returning functions are not allowed"),
        Located(yaml: "table: items\nset: { v: 1, w: DEFAULT }\n", place: "2:17", message: "DEFAULT is not allowed"),
        Located(yaml: "table: items\nset: { v: 1 / 0 }\n", place: "2:11", message: "division by zero"),
        Located(yaml: "table: items\nset: { v: items }\n", place: "2:11", message: "v"),
        Located(
            yaml: "table: items\nset: { v: \"(SELECT 1, 2)\" }\n", place: "2:12",
            message: "subquery must return only one column"),
    ]

    @Test(arguments: located) func errorOfTheServerIsShownAtItsPlaceInTheFile(_ located: Located) throws {
        let error = try fixture.refusal(of: located.yaml)
        #expect(error.code == .job)
        #expect(error.message.hasPrefix("job.yaml:\(located.place): "), "\(error)")
        #expect(error.message.contains(located.message), "\(error)")
        if let excerpt = located.excerpt { #expect(error.mend?.hasPrefix(excerpt) == true, "\(error)") }
    }

    static let inBlocks: [Located] = [
        Located(
            yaml: "table: items\nset:\n  v: |\n    w +\n    price\n", place: "5:5", message: "\"price\"",
            excerpt: "price\n  ^"),
        Located(
            yaml: "table: items\nset:\n  v: |\n\n    CASE WHEN w > 1\n      THEN 'ä' || price\n      ELSE 2 END\n",
            place: "6:19", message: "\"price\"", excerpt: "  THEN 'ä' || price\n                ^"),
    ]

    @Test(arguments: inBlocks) func errorOnALaterLineOfABlockIsShownAtItsPlaceInTheFile(_ located: Located) throws {
        let error = try fixture.refusal(of: located.yaml)
        #expect(error.message.contains(located.message))
        if let excerpt = located.excerpt { #expect(error.mend?.hasPrefix(excerpt) == true, "\(error)") }
        let line = located.place.prefix { $0 != ":" }
        #expect(error.message.hasPrefix("job.yaml:\(line):"), "\(error)")
        #expect(error.message.hasPrefix("job.yaml:\(located.place): "), "\(error)")
    }

    @Test func hintOfTheServerFollowsTheCaret() throws {
        let error = try fixture.refusal(of: "table: items\nset: { v: names }\n")
        #expect(error.mend == "names\n  ^\n  Perhaps you meant to reference the column \"items.name\".")
    }

    @Test(arguments: [
        ("set: { name: 'abc' }", "name: \"'abc'\""), ("set: { name: \"hello world\" }", "name: \"'hello world'\""),
        ("set: { name: 'a@b.example' }", "name: \"'a@b.example'\""), ("set: { name: abc }", nil),
        ("set: { name: 'abc + 1' }", nil), ("set: { name: 'upper(abc)' }", nil), ("set: { v: 'name' }", nil),
    ])
    func textInYAMLsQuotesIsToldApartFromSQLs(yaml: String, mend: String?) throws {
        let error = try fixture.refusal(of: "table: items\n" + yaml + "\n")
        let lines = (error.mend ?? "").split(separator: "\n")
        let hint = "  the quotes are YAML's, and SQL does not see them; for the text, write "
        #expect(lines.first { $0.hasPrefix(hint) }.map { String($0.dropFirst(hint.count)) } == mend, "\(error)")
    }

    // MARK: - Expressions that reach into the statement around them

    @Test(arguments: [
        "w)", "(w", "w), (1", "1) FROM items --", "1; DROP TABLE items", "1 /*", "'w", "w)) + ((1",
        "w FROM items) UNION (SELECT 1", "w ORDER BY 1", "$$w", "w, v",
    ])
    func unbalancedExpressionIsRefused(_ expression: String) throws {
        let error = try fixture.refusal(of: "table: items\nset:\n  v: |\n    \(expression)\n")
        #expect(error.message.hasPrefix("job.yaml:4:"), "\(error)")
    }

    @Test(arguments: ["w), id = (id + 1", "w), v = (1", "w) + (1"])
    func expressionThatLeavesItsParenthesesIsRefused(_ expression: String) throws {
        _ = try fixture.refusal(of: "table: items\nset:\n  w: |\n    \(expression)\n")
    }

    @Test(arguments: ["true) OR (true", "w > 1) OR (w < 0"])
    func conditionThatLeavesItsParenthesesIsRefused(_ condition: String) throws {
        _ = try fixture.refusal(of: "table: items\nwhere: |\n  \(condition)\nset: { v: 1 }\n")
    }

    @Test func conditionThatAddsAQueryIsRefusedForComputeJobsToo() throws {
        _ = try fixture.refusal(
            of: "table: items\nwhere: true) UNION (SELECT 1\ncompute: { command: [x], writes: [v] }\n")
    }

    @Test(arguments: ["w > 1)", "(w > 1", "w > 1 LIMIT 1", "true; DELETE FROM items"])
    func unbalancedConditionIsRefused(_ condition: String) throws {
        let error = try fixture.refusal(of: "table: items\nwhere: |\n  \(condition)\nset: { v: 1 }\n")
        #expect(error.message.hasPrefix("job.yaml:3:"), "\(error)")
    }

    @Test(arguments: [
        "where: w > $1\ncompute: { command: [x], writes: [v] }\n", "where: w > $1\nset: { v: 1 }\n",
        "set: { v: w + $1 }\n",
    ])
    func parameterIsRefused(_ rest: String) throws {
        let error = try fixture.refusal(of: "table: items\n" + rest)
        #expect(error.message.hasPrefix("job.yaml:2:"))
    }

    @Test(arguments: [
        "w + 1 -- a comment", "(SELECT max(w) FROM items) /* all */", "CASE WHEN name = ')' THEN 1 ELSE 2 END",
        "floor(random() * 10)::int", "coalesce(v, w)", "NULL", "items.w", "(1)", "'7'", "length($q$)$q$)",
        "extract(epoch FROM now())::int",
    ])
    func expressionsThatAreWellFormedAreTaken(_ expression: String) throws {
        try fixture.check("table: items\nset:\n  v: |\n    \(expression)\n")
        try fixture.check("table: items\nwhere: |\n  (\(expression)\n  ) IS NOT NULL -- or not\nset: { v: 1 }\n")
    }

    @Test func nothingIsEvaluatedOrWritten() throws {
        try fixture.connection.execute(
            """
            CREATE FUNCTION touch() RETURNS int LANGUAGE plpgsql VOLATILE AS $$
            BEGIN INSERT INTO items VALUES (99, 0); RETURN 1; END $$
            """)
        try fixture.connection.execute("CREATE SEQUENCE s")
        let rows = "SELECT md5(string_agg(row(i.*)::text || xmin, ',' ORDER BY id)) FROM items AS i"
        let before = try fixture.connection.execute(rows).text(0, 0)
        let findings = try fixture.check(
            "table: items\nset: { v: touch(), w: \"nextval('s')\" }\nwhere: touch() > 0\n")
        #expect(findings.tableRows == 10)
        #expect(try fixture.connection.execute(rows).text(0, 0) == before)
        #expect(try fixture.connection.execute("SELECT is_called FROM s").bool(0, 0) == false)
        #expect(try fixture.connection.execute("SELECT to_regnamespace('coord') IS NULL").bool(0, 0) == true)
    }
}
