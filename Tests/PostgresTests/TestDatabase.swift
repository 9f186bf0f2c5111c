import Glibc
import Postgres
import Synchronization
import Testing

/// A database of one test's own, in the server that PGHOST, PGPORT, PGUSER and PGDATABASE name.
struct TestDatabase: Sendable {
    /// The database of the test that runs now; only under the trait `.database`.
    static var current: TestDatabase {
        guard let database = running else { preconditionFailure("the test or its suite needs the trait .database") }
        return database
    }
    @TaskLocal fileprivate static var running: TestDatabase?

    let name: String
    /// A role without any rights that may log in, for tests of rights. Made by `makeRole`, dropped after the test.
    var role: String { name + "_role" }

    fileprivate init() {
        var generator = SystemRandomNumberGenerator()
        name = "coord_test_" + String(generator.next(), radix: 36)
    }

    /// Settings to connect here with, by a role other than PGUSER if one is named.
    func settings(role: String? = nil, setup: [String] = []) -> PostgresConnection.Settings {
        let user = role.map { " user=\($0)" } ?? ""
        return PostgresConnection.Settings(
            conninfo: "dbname=\(name)\(user)", applicationName: "coord test", setup: setup)
    }

    func connect(role: String? = nil, setup: [String] = []) throws -> PostgresConnection {
        try PostgresConnection(settings(role: role, setup: setup))
    }

    @discardableResult
    func makeRole() throws -> String {
        try connect().execute("CREATE ROLE \(role) LOGIN")
        return role
    }

    /// The role, which is made where it is not there yet, with a setting of its own.
    func makeRole(setting: String) throws -> String {
        let connection = try connect()
        let found = try connection.execute("SELECT FROM pg_roles WHERE rolname = $1", [role])
        if found.rows == 0 { try makeRole() }
        try connection.execute("ALTER ROLE \(role) SET \(setting)")
        return role
    }

    fileprivate func create() throws {
        try Self.administer(["CREATE DATABASE \(name) TEMPLATE template0"])
    }

    fileprivate func drop() throws {
        try Self.administer(["DROP DATABASE IF EXISTS \(name) WITH (FORCE)", "DROP ROLE IF EXISTS \(role)"])
    }

    /// Makes the database as it was when it was created, which takes a tenth of the time.
    fileprivate func reset() throws {
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
        // The role is there since PostgreSQL 14.
        let owner = connection.serverVersion >= 140_000 ? " AUTHORIZATION pg_database_owner" : ""
        for statement in [
            "CREATE SCHEMA public\(owner)", "GRANT USAGE ON SCHEMA public TO public",
            "ALTER DATABASE \(name) RESET ALL", "GRANT CONNECT ON DATABASE \(name) TO public",
        ] { try connection.execute(statement) }
    }

    /// What is wrong with the environment.
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

/// The databases of this process. A test has one alone; how many there are bounds how many tests run at a time.
private actor TestDatabasePool {
    static let shared = TestDatabasePool()
    /// With a few connections for each, this stays far below the server's `max_connections`.
    static let limit = 6

    /// All of them, outside of the actor for `atexit`.
    private static let made = Mutex<[TestDatabase]>([])
    private var free: [TestDatabase] = []
    private var waiters: [CheckedContinuation<TestDatabase, Never>] = []

    func take() async throws -> TestDatabase {
        if let database = free.popLast() { return database }
        guard Self.made.withLock({ $0.count }) < Self.limit else {
            return await withCheckedContinuation { waiters.append($0) }
        }
        let database = TestDatabase()
        try database.create()
        let count = Self.made.withLock {
            $0.append(database)
            return $0.count
        }
        if count == 1 { atexit { TestDatabasePool.dropAll() } }
        return database
    }

    func giveBack(_ database: TestDatabase) {
        if let waiter = waiters.popLast() { waiter.resume(returning: database) } else { free.append(database) }
    }

    private static func dropAll() {
        for database in made.withLock({ $0 }) {
            do { try database.drop() } catch { print("\(database.name) could not be dropped: \(error)") }
        }
    }
}

/// Gives each test, and each case of a test with arguments, a `TestDatabase.current` of its own.
struct DatabaseTrait: TestTrait, SuiteTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let database = try await TestDatabasePool.shared.take()
        let started = ContinuousClock.now
        // What the test library reports includes the wait for a database. Cluster/local/test.sh lists the slowest by this.
        defer {
            let milliseconds = Int((ContinuousClock.now - started) / .milliseconds(1))
            print("own time: \(Double(milliseconds) / 1000) s, \(test.name)")
        }
        do {
            // Before and not after, so that a test that fails leaves its traces to look at.
            try database.reset()
            try await TestDatabase.$running.withValue(database) { try await function() }
        } catch {
            await TestDatabasePool.shared.giveBack(database)
            throw error
        }
        await TestDatabasePool.shared.giveBack(database)
    }
}

extension Trait where Self == DatabaseTrait {
    static var database: Self { Self() }
}

extension PostgresConnection {
    /// Ends the sessions that meet a condition on `pg_stat_activity`, and waits until they have.
    func terminateSessions(_ condition: String) throws {
        for _ in 0..<500 {
            let left = try execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE \(condition)")
            if left.rows == 0 { return }
            usleep(10_000)
        }
        Issue.record("sessions with \(condition) did not end within 5 s")
    }
}
