import Sharding
import Testing

@testable import Job

@Suite struct LedgerSchemaTests {
    @Test(arguments: [
        ("ops", "ops"), ("Ops", "ops"), ("'\"Ops\"'", "Ops"), ("'\"My \"\"Ledger\"'", "My \"Ledger"),
        ("coord", "coord"), ("'\"a.b\"'", "a.b"),
    ])
    func theNameFollowsPostgreSQLsRules(yaml: String, name: String) throws {
        let job = try parse("table: t\nset: { a: b }\nledger_schema: \(yaml)\n")
        let schema = try #require(job.ledgerSchema)
        #expect(schema.name == name)
        // A coordinator hands the schema to its workers in this form. They must read the same schema.
        #expect(try Job.ledgerSchema(schema.quoted) == schema)
    }

    @Test func withoutTheKeyThereIsNone() throws {
        #expect(try parse("table: t\nset: { a: b }\n").ledgerSchema == nil)
    }

    @Test(arguments: [
        Refusal.adding("ledger_schema: a.b", "a schema's name has one part, not 2", mend: "double quotes"),
        .adding("ledger_schema: pg_ops", "'pg_ops' is PostgreSQL's own", mend: "such as ops"),
        .adding("ledger_schema: information_schema", "is PostgreSQL's own"),
        .adding("ledger_schema: my ops", "'my ops' is not a name"),
        .adding("ledger_schema: \"Ops\"", "not clear whether 'Ops' keeps its case"),
        .adding("ledger_schema: ''", "is empty"),
        .adding("ledger_schema: [a]", "'ledger_schema' must be a schema, not a list"),
        .adding("ledger_schema:", "'ledger_schema' has no value"),
        .adding("ledger_scheme: a", "did you mean 'ledger_schema'?"),
        .adding("ledger_schema: \(String(repeating: "x", count: 64))", "longer than 63 bytes"),
        .adding("ledger_schema: '\"a$body$\"'", "holds $body$"),
        .adding("ledger_schema: \"'\\\"a\\tb\\\"'\"", "is not a name"),
        .adding("ledger_schema: \"\\\"a\\tb\\\"\"", "holds a control character"),
    ])
    func aNameThatIsNoneIsToldWhy(refusal: Refusal) throws {
        try refusal.check()
    }
}
