import Glibc
import Host
import Postgres
import Synchronization

/// The databases of this process. A test has one alone; how many there are bounds how many tests run at a time.
///
/// It has a thread of its own, since to make one takes a while.
actor TestDatabasePool {
    static let shared = TestDatabasePool()
    private let executor = ThreadExecutor(name: "databases")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
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
        // In their turn: the time that a test may take includes its wait.
        if waiters.isEmpty { free.append(database) } else { waiters.removeFirst().resume(returning: database) }
    }

    private static func dropAll() {
        for database in made.withLock({ $0 }) {
            do { try database.drop() } catch { print("\(database.name) could not be dropped: \(error)") }
        }
    }
}
