import Glibc
import Postgres

/// A database that one test has to itself, in the server that PGHOST, PGPORT, PGUSER and PGDATABASE name.
package struct TestDatabase: Sendable {
    /// The database of the running test. Only tests with the trait `.database` have one.
    package static var current: TestDatabase {
        guard let database = running else { preconditionFailure("the test or its suite needs the trait .database") }
        return database
    }
    @TaskLocal static var running: TestDatabase?

    package let name: String
    /// The thread of the test, since calls of libpq block.
    let thread = TestThread()
    /// A role without any rights that may log in, for tests of rights. `makeRole` makes it, and it is dropped after the
    /// test.
    package var role: String { name + "_role" }

    init() {
        var generator = SystemRandomNumberGenerator()
        name = "coord_test_" + String(generator.next(), radix: 36)
    }

    /// The settings of a connection to this database, by the role PGUSER unless another is named.
    package func settings(role: String? = nil, setup: [String] = []) -> PostgresConnection.Settings {
        let user = role.map { " user=\($0)" } ?? ""
        return PostgresConnection.Settings(
            conninfo: "dbname=\(name)\(user)", applicationName: "coord test", setup: setup)
    }

    package func connect(role: String? = nil, setup: [String] = []) throws -> PostgresConnection {
        try PostgresConnection(settings(role: role, setup: setup))
    }

    @discardableResult
    package func makeRole() throws -> String {
        try connect().execute("CREATE ROLE \(role) LOGIN")
        return role
    }

    /// Makes the role if it does not exist, and gives it a setting.
    package func makeRole(setting: String) throws -> String {
        let connection = try connect()
        let found = try connection.execute("SELECT FROM pg_roles WHERE rolname = $1", [role])
        if found.rows == 0 { try makeRole() }
        try connection.execute("ALTER ROLE \(role) SET \(setting)")
        return role
    }

    func create() throws {
        try Self.administer(["CREATE DATABASE \(name) TEMPLATE template0"])
    }

    func drop() throws {
        // The last three are of a ledger in a schema of this name.
        let roles = ["role", "coordinator", "worker", "viewer"].map { "\(name)_\($0)" }.joined(separator: ", ")
        try Self.administer(["DROP DATABASE IF EXISTS \(name) WITH (FORCE)", "DROP ROLE IF EXISTS \(roles)"])
    }

    /// Returns the database to its initial state, in a tenth of the time of a new one.
    func reset() throws {
        let connection = try connect()
        try connection.terminateSessions("datname = current_database() AND pid <> pg_backend_pid()")
        let schemas = try connection.execute(
            "SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)'")
        for row in 0..<schemas.rows { try connection.execute("DROP SCHEMA \(schemas.text(row, 0) ?? "") CASCADE") }
        let roles = try connection.execute("SELECT FROM pg_roles WHERE rolname = $1", [role])
        if roles.rows > 0 {
            try connection.execute("DROP OWNED BY \(role)")
            try connection.execute("DROP ROLE \(role)")
        }
        // The role pg_database_owner exists since PostgreSQL 14.
        let owner = connection.serverVersion >= 140_000 ? " AUTHORIZATION pg_database_owner" : ""
        for statement in [
            "CREATE SCHEMA public\(owner)", "GRANT USAGE ON SCHEMA public TO public",
            "ALTER DATABASE \(name) RESET ALL", "GRANT CONNECT ON DATABASE \(name) TO public",
        ] { try connection.execute(statement) }
    }

    /// A fault of the test's environment.
    struct EnvironmentError: Error, CustomStringConvertible {
        let missing: [String]
        var description: String {
            "\(missing.joined(separator: ", ")) not set: the tests need a PostgreSQL of their own. Run "
                + "Cluster/local/test.sh, or Cluster/local/postgres.sh start DIR and eval \"$(… env DIR)\""
        }
    }

    private static func administer(_ statements: [String]) throws {
        let names = ["PGHOST", "PGPORT", "PGUSER", "PGDATABASE"]
        let missing = names.filter { getenv($0) == nil }
        guard missing.isEmpty else { throw EnvironmentError(missing: missing) }
        let connection = try PostgresConnection(.init(applicationName: "coord test"))
        for statement in statements { try connection.execute(statement) }
    }
}
