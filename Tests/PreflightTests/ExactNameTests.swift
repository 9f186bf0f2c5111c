import Batches
import Job
import Ledger
import Postgres
import Preflight
import Support
import Testing

/// The composed and the decomposed `café` are equal to Swift, but name two columns in PostgreSQL.
@Suite(.database) struct ExactNameTests {
    static let composed = "caf\u{E9}"
    static let decomposed = "cafe\u{301}"

    @Test(arguments: [composed, decomposed]) func columnIsFoundByItsBytes(_ name: String) throws {
        let fixture = try PreflightFixture(
            "CREATE TABLE items (id int PRIMARY KEY, \"\(Self.decomposed)\" int, \"\(Self.composed)\" int)")
        for job in [
            "table: items\nset: { \"\(name)\": id }\n",
            "table: items\nread: [\"\(name)\"]\ncompute: { transform: passthrough, writes: [\"\(name)\"] }\n",
        ] {
            let target = try fixture.check(job).target
            let columns: [Target.Column] =
                switch target.change {
                case .set(let assignments): assignments.map(\.column)
                case .compute(let read, let writes): read + writes
                }
            #expect(columns.allSatisfy { $0.name.utf8.elementsEqual(name.utf8) })
            #expect(columns.allSatisfy { $0.number == (name.utf8.elementsEqual(Self.composed.utf8) ? 3 : 2) })
        }
    }

    @Test func bothCanBeInOneJob() throws {
        let fixture = try PreflightFixture(
            "CREATE TABLE items (id int PRIMARY KEY, \"\(Self.decomposed)\" int, \"\(Self.composed)\" int)")
        let job = """
            table: items
            read: ["\(Self.composed)", "\(Self.decomposed)"]
            compute: { transform: passthrough, writes: ["\(Self.decomposed)", "\(Self.composed)"] }

            """
        guard case .compute(let read, let writes) = try fixture.check(job).target.change else { return }
        #expect(read.map(\.number) == [3, 2] && writes.map(\.number) == [2, 3])
    }
}
