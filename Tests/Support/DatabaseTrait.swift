import Testing

/// Gives each test, and each case of a test with arguments, a `TestDatabase.current` and its own thread.
package struct DatabaseTrait: TestTrait, SuiteTrait, TestScoping {
    package var isRecursive: Bool { true }

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let database = try await TestDatabasePool.shared.take()
        let started = ContinuousClock.now
        // The time that the test library reports includes the wait for a database. So the trait prints the test's own
        // time, from which Cluster/local/test.sh lists the slowest.
        defer {
            let milliseconds = Int((ContinuousClock.now - started) / .milliseconds(1))
            print("own time: \(Double(milliseconds) / 1000) s, \(test.name)")
        }
        do {
            try await withTaskExecutorPreference(database.thread) {
                // The reset comes before the test and not after it, so that a failed test leaves its data to look at.
                try database.reset()
                try await TestDatabase.$running.withValue(database) { try await function() }
            }
        } catch {
            await TestDatabasePool.shared.giveBack(database)
            throw error
        }
        await TestDatabasePool.shared.giveBack(database)
    }
}

extension Trait where Self == DatabaseTrait {
    package static var database: Self { Self() }
}
