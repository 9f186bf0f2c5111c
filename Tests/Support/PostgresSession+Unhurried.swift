import Postgres

extension PostgresSession {
    /// The setup of a session that waits for a lock until the test has seen it wait. On a busy machine that takes
    /// longer than the limit of a worker's session.
    package static let unhurried = ["SET lock_timeout = 0"]
}
