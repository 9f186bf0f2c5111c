import Postgres

extension PostgresSession {
    /// For a session that is to wait for a lock until the test has seen it wait: on a busy machine that takes longer than the
    /// limit of a worker's session.
    package static let unhurried = ["SET lock_timeout = 0"]
}
