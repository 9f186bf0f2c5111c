import Dispatching
import Testing

@testable import LedgerQueueing

@Suite struct EndTests {
    static let release = LedgerTask.release(cancelled: false)

    @Test(arguments: [DispatchOutcome.drained, .stopped(reason: "its table is gone")])
    func runThatCanGoOnIsGivenBack(outcome: DispatchOutcome) {
        var queue = LedgerQueueStateMachine()
        #expect(queue.runEnded(outcome) == [.ask(Self.release)])
        #expect(queue.answered() == [.leave])
        #expect(queue.runEnded(outcome) == [])
    }

    /// The request that is answered here has already ended the run in the ledger.
    @Test func runThatTheLedgerHasConcludedIsNotGivenBack() {
        var queue = LedgerQueueStateMachine.asking(.dispatch(.conclude))
        #expect(queue.runEnded(.concluded(done: 1, failed: 0)) == [.leave])
        #expect(queue.answered() == [])
    }

    @Test func onlyWhatStillMattersIsWrittenBeforehand() {
        var queue = LedgerQueueStateMachine.asking(.note, .renew, confirm(0), .batchRows(100), .note)
        #expect(queue.runEnded(.drained) == [])
        #expect(queue.requested(.renew) == [])
        #expect(queue.requested(confirm(1)) == [])
        #expect(queue.answered() == [.ask(.batchRows(100))])
        #expect(queue.answered() == [.ask(Self.release)])
        #expect(queue.answered() == [.leave])
    }

    /// While the coordinator gives the run back, nobody owns it.
    @Test func refusalAtTheEndIsNoOuster() {
        var queue = LedgerQueueStateMachine.asking(.renew)
        _ = queue.runEnded(.drained)
        #expect(queue.refused() == [.ask(Self.release)])
    }

    @Test func inquiryThatIsUnderWayDoesNotHoldUpTheRelease() {
        for standing in [LedgerStanding.owned, .cancelled, .paused(by: "ann"), .ended(done: 1, failed: 0)] {
            var queue = LedgerQueueStateMachine.asking(.renew)
            _ = queue.refused()
            #expect(queue.runEnded(.drained) == [])
            #expect(queue.standingRead(standing) == [.ask(Self.release)])
        }
    }

    @Test func releaseIsRepeatedAfterALostConnection() {
        var queue = LedgerQueueStateMachine()
        _ = queue.runEnded(.drained)
        let away = failure(.away)
        #expect(queue.failed(away, now: .zero).last == .ask(.renew))
        #expect(queue.answered() == [.noteAway(nil), .ask(Self.release)])
        #expect(queue.answered() == [.leave])
    }

    /// The release was written, and only the answer was lost.
    @Test func releaseThatCommittedIsRefusedAndThenOver() {
        var queue = LedgerQueueStateMachine()
        _ = queue.runEnded(.drained)
        _ = queue.failed(failure(.away), now: .zero)
        #expect(queue.refused() == [.noteAway(nil), .ask(Self.release)])
        #expect(queue.answered() == [.leave])
    }

    @Test func releaseThatFailsForGoodIsGivenUp() {
        for kind in [LedgerFailure.Kind.lasting, .damage] {
            var queue = LedgerQueueStateMachine()
            _ = queue.runEnded(.drained)
            #expect(queue.failed(failure(kind), now: .zero) == [.giveUp(Self.release, failure(kind)), .leave])
        }
    }

    @Test(arguments: LedgerFailure.Kind.allCases)
    func nothingElseHoldsUpTheEnd(kind: LedgerFailure.Kind) {
        var queue = LedgerQueueStateMachine.asking(.note)
        _ = queue.runEnded(.drained)
        #expect(queue.failed(failure(kind), now: .zero) == [.giveUp(.note, failure(kind)), .ask(Self.release)])
    }

    @Test func releaseWaitsForTheLedgerAsLongAsAnyTask() {
        var queue = LedgerQueueStateMachine()
        _ = queue.runEnded(.drained)
        _ = queue.failed(failure(.away), now: .zero)
        #expect(queue.failed(failure(.away), now: .seconds(600)) == [.stop(.away(failure(.away)))])
    }
}
