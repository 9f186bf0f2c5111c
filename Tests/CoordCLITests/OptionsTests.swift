import ArgumentParser
import Job
import Ledger
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

    @Test(
        arguments: [
            ("90", 90), ("30s", 30), ("15m", 900), ("1h", 3600), ("2d", 172_800), ("366d", 31_622_400), ("off", nil),
        ] as [(String, Int64?)])
    func aTimeHasAUnitOrIsInSeconds(text: String, seconds: Int64?) throws {
        #expect(try #require(PaceTime(argument: text)).seconds == seconds)
    }

    @Test(arguments: ["", "0", "-1", "1.5h", "h", "1w", "367d", "9223372036854775807d", "1 h"])
    func whatIsNoTimeIsRefused(text: String) { #expect(PaceTime(argument: text) == nil) }

    @Test func aLimitOfThePaceIsANumberFromOneOrOff() throws {
        #expect(PaceLimit(argument: "20,000")?.limit == .most(20_000))
        #expect(PaceLimit(argument: "off")?.limit == .lifted)
        for text in ["", "0", "-4", "none", "1.5", "1000000000001"] {
            #expect(PaceLimit(argument: text) == nil, "\(text)")
        }
        for wrong in [
            ["7", "--off", "--rows", "5"], ["7", "--workers", "100001"], ["--rows", "5"], ["7", "--for", "1w"],
        ] {
            #expect(throws: (any Error).self, "\(wrong)") { try PaceCommand.parse(wrong) }
        }
    }

    @Test(arguments: ["pg_x", "a.b", "", "a b", "\"", String(repeating: "x", count: 64)])
    func aSchemaThatNoLedgerCanHaveIsAnErrorOfUsage(name: String) {
        #expect(throws: (any Error).self) { try CommonOptions.parse(["--ledger-schema", name]) }
    }
}
