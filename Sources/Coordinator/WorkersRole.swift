import Postgres
import Preflight

/// As whom a run's workers connect, as far as its coordinator knows.
public enum WorkersRole: Sendable {
    /// As the coordinator does.
    case same
    /// With settings of their own.
    case other(PostgresConnection.Settings)
    /// As whoever joins.
    case unknown

    /// Opens a session of that role, so that its rights can be checked.
    func writer() throws -> WritingRole {
        switch self {
        case .same: return .same
        case .unknown: return .unknown
        case .other(let settings): return .other(try Self.session(settings))
        }
    }

    private static func session(_ settings: PostgresConnection.Settings) throws -> PostgresConnection {
        do {
            return try PostgresConnection(settings)
        } catch {
            guard error.recovery == .authorize else { throw error }
            throw PreflightError(
                .permission, "the workers' role cannot connect: \(error.message)",
                mend: "what --worker-database says is theirs; a password is taken from ~/.pgpass or PGPASSFILE")
        }
    }
}
