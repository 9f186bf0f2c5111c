import Testing

@testable import Coordinator

/// When the workers of another host go, though nobody is there to end them.
@Suite struct KeeperLeashTests {
    private var leash = KeeperLeash(now: .zero)

    @Test mutating func endOfTheInputDrainsAndTheLateAreKilled() {
        #expect(leash.ended(now: .seconds(5)) == .drain)
        #expect(leash.ended(now: .seconds(6)) == nil)
        #expect(leash.timePassed(now: .seconds(5) + KeeperLeash.drainLimit) == nil)
        #expect(leash.timePassed(now: .seconds(6) + KeeperLeash.drainLimit) == .kill)
        #expect(leash.timePassed(now: .seconds(900)) == nil)
    }

    /// A network that is cut ends no connection.
    @Test mutating func silenceDrainsAsTheEndOfTheInputDoes() {
        let beat = [KeeperLeash.beat]
        for second in stride(from: 5, through: 60, by: 5) {
            #expect(leash.heard(beat, now: .seconds(second)) == nil)
            #expect(leash.timePassed(now: .seconds(second + 4)) == nil)
        }
        #expect(leash.timePassed(now: .seconds(60) + KeeperLeash.silenceLimit) == nil)
        #expect(leash.timePassed(now: .seconds(61) + KeeperLeash.silenceLimit) == .drain)
        // What comes now comes too late.
        #expect(leash.heard(beat, now: .seconds(95)) == nil)
        #expect(leash.state == .draining(since: .seconds(91)))
    }

    @Test mutating func stopKillsAtOnceAlsoThoseThatDrain() {
        _ = leash.ended(now: .seconds(1))
        #expect(leash.heard([KeeperLeash.beat, KeeperLeash.stop], now: .seconds(2)) == .kill)
        #expect(leash.heard([KeeperLeash.stop], now: .seconds(3)) == nil)
        #expect(!leash.wantsWorkers)
    }

    /// As with local workers, a batch may take its time while the coordinator waits.
    @Test mutating func workersThatWereAskedToLeaveAreWaitedForWhileTheCoordinatorIsThere() {
        #expect(leash.wantsWorkers)
        #expect(leash.heard([KeeperLeash.leave], now: .seconds(1)) == .drain)
        #expect(!leash.wantsWorkers)
        for second in stride(from: 5, through: 100, by: 5) {
            #expect(leash.heard([KeeperLeash.beat, KeeperLeash.leave], now: .seconds(second)) == nil)
            #expect(leash.timePassed(now: .seconds(second)) == nil)
        }
        #expect(leash.ended(now: .seconds(101)) == .drain)
        #expect(leash.timePassed(now: .seconds(102) + KeeperLeash.drainLimit) == .kill)
    }
}
