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

    /// What a write would change: the schemas, the number of relations, and the newest transaction in pg_class.
    private func writes() throws -> [String] {
        // The server's transaction counter would not do, since other tests move it too.
        let result = try connection.execute(
            """
            SELECT (SELECT string_agg(nspname, ',' ORDER BY nspname) FROM pg_namespace),
                (SELECT count(*) FROM pg_class), (SELECT max(xmin::text::bigint) FROM pg_class)
            """)
        return (0..<3).map { result.text(0, $0) ?? "" }
    }
}

extension PreflightError {
    func says(_ words: String...) -> Bool { words.allSatisfy(description.contains) }
}
