import Testing

@testable import Coordinator

@Suite struct EndingTests {
    private static let reason = CoordinatorError.cannotGoOn("its table is another one")

    /// The end of a run that ended at second 1 and is written in the ledger.
    private static func parting(_ error: CoordinatorError? = nil) -> Ending {
        var ending = Ending.ahead
        #expect(ending.begun(error, now: .seconds(1)) == true)
        ending.released()
        return ending
    }

    @Test func runEndsOnce() {
        var ending = Ending.ahead
        #expect(ending.begun(Self.reason, now: .seconds(1)) == true)
        let first = ending
        #expect(ending.begun(now: .seconds(2)) == false)
        #expect(ending == first)
    }

    /// The database may be away for minutes before it takes the run back.
    @Test func nobodyLeavesBeforeTheRunIsGivenBack() {
        var ending = Ending.ahead
        _ = ending.begun(now: .seconds(1))
        #expect(ending.workersLookedAfter(haveSaidGoodbye: true, areGone: true, now: .seconds(100)) == nil)
        ending.released()
        #expect(ending.workersLookedAfter(haveSaidGoodbye: true, areGone: true, now: .seconds(100)) == .writeFigures)
    }

    @Test func figuresAreWrittenOnceTheWorkersHaveSaidGoodbyeAndTheEndWaitsForTheirProcesses() {
        var ending = Self.parting()
        #expect(ending.workersLookedAfter(haveSaidGoodbye: false, areGone: false, now: .seconds(2)) == nil)
        #expect(ending.workersLookedAfter(haveSaidGoodbye: true, areGone: false, now: .seconds(2)) == .writeFigures)
        #expect(ending.workersLookedAfter(haveSaidGoodbye: true, areGone: true, now: .seconds(3)) == nil)
        ending.figuresWritten()
        #expect(ending.workersLookedAfter(haveSaidGoodbye: true, areGone: false, now: .seconds(4)) == nil)
        #expect(ending.workersLookedAfter(haveSaidGoodbye: true, areGone: true, now: .seconds(4)) == .end(nil))
    }

    @Test func workersThatAreLateAreNotWaitedFor() {
        var ending = Self.parting(Self.reason)
        #expect(ending.workersLookedAfter(haveSaidGoodbye: false, areGone: false, now: .seconds(6)) == nil)
        let late = Duration.milliseconds(6001)
        #expect(ending.workersLookedAfter(haveSaidGoodbye: false, areGone: false, now: late) == .writeFigures)
        ending.figuresWritten()
        #expect(ending.workersLookedAfter(haveSaidGoodbye: false, areGone: false, now: late) == .end(Self.reason))
    }

    @Test func errorEndsItFromEveryState() {
        var ending = Self.parting()
        ending.ended()
        ending.released()
        ending.figuresWritten()
        #expect(ending == .over)
        #expect(ending.begun(now: .seconds(1)) == false)
        #expect(ending.workersLookedAfter(haveSaidGoodbye: true, areGone: true, now: .seconds(9)) == nil)
    }
}
