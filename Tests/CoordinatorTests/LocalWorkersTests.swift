import Glibc
import Host
import Testing

@testable import Coordinator

/// Processes that are no workers: what matters is who ends them, and that it is noticed.
@Suite struct LocalWorkersTests {
    private static func workers(_ program: String, count: Int = 2) throws -> LocalWorkers {
        try LocalWorkers(executable: program, environment: [:], count: count, verbose: false)
    }

    /// Waits for the descriptor's end of a process, as the socket loop does.
    private static func awaitEnd(_ descriptor: Int32) {
        var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&item, 1, 60_000) == 1)
    }

    @Test func processThatEndsIsAskedForAsSoonAsItsDescriptorSaysSo() throws {
        // It ends at once, since it knows none of its arguments.
        let workers = try Self.workers("/bin/false", count: 1)
        defer { workers.abandon() }
        let descriptors = workers.takeUnwatched()
        try #require(descriptors.count == 1)
        #expect(workers.takeUnwatched() == [])
        Self.awaitEnd(descriptors[0])
        // Nobody has said so, and it is not time to ask for all.
        #expect(workers.reap(now: .milliseconds(100)).isEmpty)
        workers.exitSeen(descriptors[0])
        let exits = workers.reap(now: .milliseconds(200))
        #expect(exits.map(\.descriptor) == descriptors)
        #expect(exits.map(\.reason) == ["exit status 1"])
        #expect(workers.isEmpty)
        #expect(workers.failures == 1)
    }

    /// Where the kernel has no such descriptors.
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
