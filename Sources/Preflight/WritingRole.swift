public import Postgres

/// Whose rights on the table a job's updates need.
public enum WritingRole {
    /// Those of the role that checks.
    case same
    /// Those of the workers' role, by a session of that role.
    case other(PostgresConnection)
    /// Those of roles that are not known yet: each worker finds out when it joins.
    case unknown
}
