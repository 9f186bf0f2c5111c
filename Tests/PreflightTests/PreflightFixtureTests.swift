import Postgres
import Support
import Testing

/// The fixture notices a write of each kind. Otherwise the tests of refusals would prove little.
@Suite(.database) struct PreflightFixtureTests {
    @Test(arguments: [
        "INSERT INTO items VALUES (3)", "UPDATE items SET id = id WHERE id = 1", "DELETE FROM items WHERE id = 2",
        "CREATE TABLE others (id int)", "CREATE SCHEMA other",
        "COMMENT ON TABLE items IS 'seen'; ALTER TABLE items ADD v int",
    ])
    func writeOfAnyKindIsNoticed(statements: String) throws {
        let fixture = try PreflightFixture("CREATE TABLE items (id int)", "INSERT INTO items VALUES (1), (2)")
        let before = try fixture.writes()
        #expect(try fixture.writes() == before)
        try fixture.connection.execute(script: statements)
        #expect(try fixture.writes() != before)
    }
}
