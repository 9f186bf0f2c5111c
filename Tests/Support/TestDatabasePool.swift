import Glibc
import Host
import Postgres
import Synchronization

/// The databases of this process. Each test has one to itself, so their number limits how many tests run at a time.
///
/// The pool has its own thread, since making a database takes a while.
actor TestDatabasePool {
    static let shared = TestDatabasePool()
    private let executor = ThreadExecutor(name: "databases")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    /// With a few connections for each, this stays far below the server's `max_connections`.
    static let limit = 6

    /// All databases that were made, outside of the actor so that `atexit` can drop them.
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
        // Waiters get databases in their order, since a test's time limit includes its wait.
        if waiters.isEmpty { free.append(database) } else { waiters.removeFirst().resume(returning: database) }
    }

    private static func dropAll() {
        for database in made.withLock({ $0 }) {
            do { try database.drop() } catch { print("\(database.name) could not be dropped: \(error)") }
        }
    }
}
