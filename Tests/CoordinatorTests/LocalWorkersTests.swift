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
        workers.fill(now: .seconds(1))
        #expect(workers.isEmpty)
        workers.fill(now: .seconds(2))
        let descriptors = workers.takeUnwatched()
        #expect(descriptors.count == 1)
        Self.awaitEnd(descriptors[0])
        #expect(workers.reap(now: .seconds(3)).count == 1)
        #expect(workers.failures == 2)
    }

    /// An upgrade may move the program away under a coordinator at work.
    @Test func processThatCannotBeStartedIsTriedAgainAfterGrowingPauses() throws {
        let folder = try Endpoint.makePrivateFolder()
        let program = folder + "/program"
        try #require(symlink("/bin/false", program) == 0)
        defer { rmdir(folder) }
        let workers = try Self.workers(program, count: 1)
        defer { workers.abandon() }
        let descriptors = workers.takeUnwatched()
        for descriptor in descriptors { Self.awaitEnd(descriptor) }
        try #require(unlink(program) == 0)
        let second = Duration.seconds(1)
        try #require(workers.reap(now: second).count == 1)
        workers.fill(now: second * 2)
        let fault = "the program \(program) of the workers cannot be run: No such file or directory"
        #expect(workers.spawnFault == fault)
        // The pauses are 0.4, 0.8, 1.6 and 3.2 s.
        for tick in 0..<240 {
            #expect(!workers.cannotStart)
            workers.fill(now: second * 2 + .milliseconds(25 * tick))
            #expect(workers.spawnFault == fault)
        }
        workers.fill(now: second * 8)
        #expect(workers.cannotStart)
        // The program is back.
        try #require(symlink("/bin/false", program) == 0)
        defer { unlink(program) }
        workers.fill(now: second * 9)
        #expect(workers.isEmpty)
        workers.fill(now: second * 15)
        #expect(workers.spawnFault == nil && !workers.isEmpty && !workers.cannotStart)
    }

    @Test func processThatIsLeftKeepsTheRunGoingThoughNoOtherCanBeStarted() throws {
        let folder = try Endpoint.makePrivateFolder()
        let program = folder + "/program"
        try #require(symlink("/bin/false", program) == 0)
        defer { rmdir(folder) }
        let workers = try Self.workers(program)
        defer { workers.abandon() }
        let descriptors = workers.takeUnwatched()
        try #require(unlink(program) == 0 && descriptors.count == 2)
        // Only the end of one is known. The other one counts as alive.
        for descriptor in descriptors { Self.awaitEnd(descriptor) }
        workers.exitSeen(descriptors[0])
        try #require(workers.reap(now: .milliseconds(100)).count == 1)
        for seconds in 1..<60 { workers.fill(now: .seconds(seconds)) }
        #expect(workers.spawnFault != nil && !workers.cannotStart)
        try #require(workers.reap(now: .seconds(60)).count == 1)
        #expect(workers.cannotStart)
    }

    @Test func descriptorsOfKilledProcessesAreTold() throws {
        let workers = try Self.workers("/bin/cat")
        defer { workers.abandon() }
        let watched = workers.takeUnwatched()
        #expect(Set(workers.killAll()) == Set(watched))
        #expect(workers.killAll() == [])
    }

    @Test func whoeverOwnsThemEndsThem() throws {
        let workers = try Self.workers("/bin/cat")
        let folder = try #require(workers.folder)
        #expect(!workers.isEmpty)
        workers.abandon()
        #expect(workers.isEmpty)
        #expect(workers.takeUnwatched() == [])
        #expect(access(folder, F_OK) != 0)
    }
}
