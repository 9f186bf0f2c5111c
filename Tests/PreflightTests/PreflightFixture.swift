import Batches
import Job
import Ledger
import Postgres
import Preflight
import Support
import Testing

/// A database in which jobs are checked, and a connection to it.
struct PreflightFixture {
    let database = TestDatabase.current
    let connection: PostgresConnection

    init(_ statements: String...) throws {
        connection = try database.connect()
        for statement in statements { try connection.execute(statement) }
    }

    /// Checks a job file, which messages call `job.yaml`.
    @discardableResult
    func check(_ yaml: String, as role: String? = nil) throws -> Preflight.Findings {
        let job = try Job.parse(text: yaml, file: "job.yaml", directory: "/jobs")
        return try Preflight.check(job, file: "job.yaml", role.map { try database.connect(role: $0) } ?? connection)
    }

    /// Returns the refusal of a job, and checks that nothing was written.
    func refusal(
        of yaml: String, as role: String? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> PreflightError {
        let before = try writes()
        do {
            try check(yaml, as: role)
        } catch let error as PreflightError {
            #expect(try writes() == before, "something was written", sourceLocation: sourceLocation)
            return error
        }
        Issue.record("the job was taken", sourceLocation: sourceLocation)
        throw CancellationError()
    }

    /// What a write would change: the schemas, the number of relations, the newest transaction in pg_class, and the
    /// versions of all rows of all tables.
    func writes() throws -> [String] {
        // The server's transaction counter would not do, since other tests move it too.
        let result = try connection.execute(
            """
            SELECT (SELECT string_agg(nspname, ',' ORDER BY nspname) FROM pg_namespace),
                (SELECT count(*) FROM pg_class), (SELECT max(xmin::text::bigint) FROM pg_class)
            """)
        let tables = try connection.execute(
            """
            SELECT c.oid::regclass FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^(pg_|information_schema$)' ORDER BY c.oid
            """)
        let versions = try (0..<tables.rows).map { table in
            let name = tables.text(table, 0) ?? ""
            return try connection.execute(
                "SELECT '\(name): ' || count(*) || md5(string_agg(ctid || ' ' || xmin, ',' ORDER BY ctid)) FROM ONLY \(name)"
            ).text(0, 0) ?? ""
        }
        return (0..<3).map { result.text(0, $0) ?? "" } + versions
    }
}

extension PreflightError {
    func says(_ words: String...) -> Bool { words.allSatisfy(description.contains) }
}
