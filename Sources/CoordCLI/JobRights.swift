import Batches
import Job
import Ledger
import Preflight

/// The rights on its table that a ledger's roles need for a job.
enum JobRights {
    /// - Returns: the statements that give them.
    /// - Throws: `PreflightError` for a job that does not fit the table, or of which this role may not see enough.
    static func needed(by job: Job, file: String, _ session: LedgerSession) throws -> [String] {
        guard let roles = LedgerRoles(of: session.schema) else { return [] }
        let target = try Preflight.check(
            job, file: file, searchPath: try session.connection.ownSearchPath(), ledger: session.schema,
            session.connection
        ).target
        return needed(by: target, roles)
    }

    private static func needed(by target: Target, _ roles: LedgerRoles) -> [String] {
        let (coordinator, worker) = (roles.quoted(.coordinator), roles.quoted(.worker))
        var versions = ["ctid"]
        let writes: [Target.Column]
        switch target.change {
        case .set(let assignments): writes = assignments.map(\.column)
        case .compute(_, let columns):
            writes = columns
            versions.append("xmin")
        }
        // The search for what expressions name is textual: a column more than needed is possible, none less.
        let reads = target.bound.sorted { $0.number < $1.number }.map(\.quoted) + versions
        return [
            "GRANT SELECT (\(reads.joined(separator: ", "))) ON \(target.table) TO \(coordinator), \(worker)",
            "GRANT UPDATE (\(writes.map(\.quoted).joined(separator: ", "))) ON \(target.table) TO \(worker)",
        ]
    }
}
