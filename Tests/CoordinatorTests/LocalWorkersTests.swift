import Glibc
import Host
import Testing

@testable import Coordinator

/// Processes that are no workers. The tests check who ends the processes, and that their ends are noticed.
@Suite struct LocalWorkersTests {
    private static func workers(_ program: String, count: Int = 2) throws -> LocalWorkers {
        try LocalWorkers(executable: program, environment: [:], count: count, verbose: false)
    }

    /// Waits until a process's descriptor reports its end, as the socket loop does.
    private static func awaitEnd(_ descriptor: Int32) {
        var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&item, 1, 60_000) == 1)
    }

    @Test func processThatEndsIsAskedForAsSoonAsItsDescriptorSaysSo() throws {
        // The program ends at once, since it does not know the arguments.
        let workers = try Self.workers("/bin/false", count: 1)
        defer { workers.abandon() }
        let descriptors = workers.takeUnwatched()
        try #require(descriptors.count == 1)
        #expect(workers.takeUnwatched() == [])
        Self.awaitEnd(descriptors[0])
        // Nobody has reported the descriptor yet, and the look at all processes is not due.
        #expect(workers.reap(now: .milliseconds(100)).isEmpty)
        workers.exitSeen(descriptors[0])
        let exits = workers.reap(now: .milliseconds(200))
        #expect(exits.map(\.descriptor) == descriptors)
        #expect(exits.map(\.reason) == ["exit status 1"])
        #expect(workers.isEmpty)
        #expect(workers.failures == 1)
    }

    /// The kernel may have no such descriptors.
    @Test func allAreAskedForOnceInAWhile() throws {
        let workers = try Self.workers("/bin/false")
        defer { workers.abandon() }
        for descriptor in workers.takeUnwatched() { Self.awaitEnd(descriptor) }
        #expect(workers.reap(now: .milliseconds(900)).isEmpty)
        #expect(workers.reap(now: LocalWorkers.lookInterval).count == 2)
    }

    @Test func processThatEndsBeforeItJoinsIsReplacedAfterAPause() throws {
        let workers = try Self.workers("/bin/false", count: 1)
        defer { workers.abandon() }
        for descriptor in workers.takeUnwatched() { Self.awaitEnd(descriptor) }
        #expect(workers.reap(now: .seconds(1)).count == 1)
        try workers.fill(now: .seconds(1))
        #expect(workers.isEmpty)
        try workers.fill(now: .seconds(2))
        let descriptors = workers.takeUnwatched()
        #expect(descriptors.count == 1)
        Self.awaitEnd(descriptors[0])
        #expect(workers.reap(now: .seconds(3)).count == 1)
        #expect(workers.failures == 2)
    }

    @Test func whoeverOwnsThemEndsThem() throws {
        let workers = try Self.workers("/bin/cat")
        let folder = workers.folder
        #expect(!workers.isEmpty)
        workers.abandon()
        #expect(workers.isEmpty)
        #expect(workers.takeUnwatched() == [])
        #expect(access(folder, F_OK) != 0)
    }
}
