import Batches
import Sharding
import Testing

@testable import Specification

@Suite struct RunSpecificationTests {
    private static let column = Target.Column(
        name: "The \"Key\"", number: 3, quoted: "\"The \"\"Key\"\"\"", type: 20, typeName: "bigint",
        value: ValueType(base: 20, name: "pg_catalog.int8"))
    private static let note = Target.Column(
        name: "n\u{e9}", number: 4, quoted: "n\u{e9}", type: 1009, typeName: "text[]",
        value: ValueType(base: 1009, name: "pg_catalog._text", element: 25, hasTextCast: true))

    private static func specification(_ change: Target.Change, _ program: ProgramSpecification?) -> RunSpecification {
        RunSpecification(
            target: Target(
                oid: 4_000_000_000, table: "public.\"T/1\"", alias: "\"T/1\"",
                key: KeySchema([
                    KeySchema.Part(column, .bigint), KeySchema.Part(note, .text, collation: "pg_catalog.\"C\""),
                ]), predicate: "a > 'b\\c' -- \u{2028}", change: change, width: "(1)", isToasted: true,
                runsForeignQueries: true, hasUpdateTriggers: true),
            batch: BatchLimits(rows: 7, bytes: 8192),
            retry: RetryPolicy(attempts: 3, backoff: .milliseconds(1), maxBackoff: .seconds(86_400)),
            lockPatience: .milliseconds(200), timeZone: "Europe/Berlin", settings: ["DateStyle": "ISO, DMY"],
            searchPath: "\"$user\", public", program: program)
    }

    static let all = [
        specification(.set([Target.Assignment(column: note, expression: "ARRAY['x']")]), nil),
        specification(
            .compute(read: [note], writes: [note]),
            ProgramSpecification(
                .command(["python3", "-c", "print('a b')"], directory: "/jobs/\u{e4}"), timeout: .milliseconds(1500),
                quotesNumbers: true)),
        specification(
            .compute(read: [], writes: [note]),
            ProgramSpecification(.transform("passthrough"), timeout: .seconds(60), quotesNumbers: false)),
    ]

    @Test(arguments: all) func whatIsWrittenIsReadAgain(_ specification: RunSpecification) throws {
        #expect(try RunSpecification(json: try specification.json()) == specification)
    }

    @Test func newerOnesAreRefusedByTheirVersion() throws {
        // The version alone refuses it, whatever else it contains.
        let error = #expect(throws: SpecificationError.self) {
            try RunSpecification(json: #"{"version": 99, "x": []}"#)
        }
        #expect(error == .newer(version: 99))
        #expect(error?.description.contains("version 99") == true)
    }

    @Test(arguments: ["", "null", "[]", "{}", #"{"version": "1"}"#, #"{"version": 1}"#])
    func whatIsNoneIsRefused(_ text: String) {
        let error = #expect(throws: SpecificationError.self) { try RunSpecification(json: text) }
        guard case .unreadable = error else { return #expect(Bool(false), "\(String(describing: error))") }
    }
}
