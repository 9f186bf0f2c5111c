import Testing

@testable import Sharding

@Suite struct LedgerSchemaTests {
    @Test(arguments: [
        ("coord", "coord"), ("ops", "\"ops\""), ("My \"Ledger", "\"My \"\"Ledger\""), ("user", "\"user\""),
        ("a.b", "\"a.b\""), ("a\"\u{301}b", "\"a\"\"\u{301}b\""), (String(repeating: "x", count: 63), nil),
    ])
    func aNameIsQuotedWhateverItHolds(name: String, quoted: String?) throws {
        let schema = try #require(LedgerSchema(name))
        #expect(schema.name == name)
        if let quoted { #expect(schema.quoted.utf8.elementsEqual(quoted.utf8)) }
    }

    @Test(arguments: [
        ("", "has 0 bytes"), (String(repeating: "x", count: 64), "has 64 bytes"),
        (String(repeating: "é", count: 32), "has 64 bytes"), ("a\0b", "control"), ("a\nb", "control"),
        ("a\u{9B}b", "control"), ("pg_ledger", "PostgreSQL's own"), ("pg_\u{301}x", "PostgreSQL's own"),
        ("information_schema", "PostgreSQL's own"), ("a$body$", "$body$"), ("a$body$\u{301}", "$body$"),
    ])
    func aNameThatNoLedgerCanHaveIsToldWhy(name: String, reason: String) throws {
        #expect(LedgerSchema(name) == nil)
        #expect(try #require(LedgerSchema.fault(in: name)).contains(reason))
    }

    @Test func namesThatOnlyUnicodeCallsEqualAreTwoSchemas() {
        #expect(LedgerSchema("\u{E9}") != LedgerSchema("e\u{301}"))
        #expect(LedgerSchema("coord") == .standard)
    }
}
