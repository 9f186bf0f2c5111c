import ArgumentParser
import Job
import Sharding
import Testing

@testable import CoordCLI

@Suite struct OptionsTests {
    private func job(_ line: String) throws -> Job {
        try Job.parse(text: "table: t\nset: { a: b }\n\(line)\n", file: "a.yaml", directory: "/")
    }

    @Test func theLedgersSchemaIsThatOfTheOptionThenOfTheJob() throws {
        let chosen = try CommonOptions.parse(["--ledger-schema", "Ops"])
        #expect(try chosen.schema(job("ledger_schema: other")).name == "ops")
        #expect(try chosen.schema().name == "ops")
        #expect(try CommonOptions.parse([]).schema(job("ledger_schema: other")).name == "other")
        #expect(try CommonOptions.parse(["--ledger-schema", "\"My \"\"Ledger\""]).schema().name == "My \"Ledger")
    }

    @Test(arguments: ["pg_x", "a.b", "", "a b", "\"", String(repeating: "x", count: 64)])
    func aSchemaThatNoLedgerCanHaveIsAnErrorOfUsage(name: String) {
        #expect(throws: (any Error).self) { try CommonOptions.parse(["--ledger-schema", name]) }
    }
}
