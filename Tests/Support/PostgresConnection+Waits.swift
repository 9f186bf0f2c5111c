import Glibc
import Postgres
import Testing

extension PostgresConnection {
    /// Returns once the session `pid` waits for a lock.
    package func awaitBlocked(_ pid: Int32, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let sql = "SELECT cardinality(pg_blocking_pids(\(pid))) > 0"
        try await awaitTrue(sql, "session \(pid) never waited for a lock", sourceLocation: sourceLocation)
    }

    /// Returns once `sql` gives true. The test fails if that takes longer than a minute.
    package func awaitTrue(
        _ sql: String, _ complaint: Comment, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        for _ in 0..<12_000 {
            if try execute(sql).bool(0, 0) == true { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record(complaint, sourceLocation: sourceLocation)
        throw CancellationError()
    }

    /// Ends the sessions that meet a condition on `pg_stat_activity`, and waits for their end.
    package func terminateSessions(_ condition: String) throws {
        for _ in 0..<500 {
            let left = try execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE \(condition)")
            if left.rows == 0 { return }
            usleep(10_000)
        }
        Issue.record("sessions with \(condition) did not end within 5 s")
    }
}
