import Dispatching
import Testing

@testable import LedgerQueueing

@Suite struct OwnershipTests {
    @Test func refusedCoordinatorAsksWhatHasBecomeOfTheRun() {
        var queue = LedgerQueueStateMachine.asking(.renew, confirm(0))
        #expect(queue.refused() == [.inquire])
        #expect(queue.requested(confirm(1)) == [])
    }

    @Test func ousterEndsIt() {
        var queue = LedgerQueueStateMachine.asking(.renew, confirm(0))
        _ = queue.refused()
        #expect(queue.standingRead(.taken) == [.stop(.ousted)])
        #expect(queue.answered() == [])
        #expect(queue.requested(.renew) == [])
    }

    @Test func ousterIsSeenAfterALostConnection() {
        var queue = LedgerQueueStateMachine.lost(confirm(0))
        #expect(queue.refused() == [.inquire])
        #expect(queue.standingRead(.taken) == [.stop(.ousted)])
    }

    @Test func runThatIsItsOwnAfterAllIsReadAgain() {
        var queue = LedgerQueueStateMachine.asking(.renew)
        _ = queue.refused()
        #expect(queue.standingRead(.owned) == [.suspendDispatch, .ask(reload)])
        // After an outage the condition that the database is away must end, too.
        var lost = LedgerQueueStateMachine.lost(confirm(0))
        _ = lost.refused()
        #expect(lost.standingRead(.owned) == [.noteAway(nil), .suspendDispatch, .ask(reload)])
    }

    /// As after a lost connection: a lease that was decided before the reload is void.
    @Test func whatWaitedBeforeItIsReadAgainIsVoid() {
        var queue = LedgerQueueStateMachine.asking(.renew, confirm(0), attempt(7))
        _ = queue.refused()
        #expect(queue.standingRead(.owned) == [.suspendDispatch, .ask(reload)])
        #expect(queue.answered() == [.ask(attempt(7))])
        #expect(queue.answered() == [])
    }

    @Test func cancelIsObeyed() {
        var queue = LedgerQueueStateMachine.asking(.renew, confirm(0))
        _ = queue.refused()
        #expect(queue.standingRead(.cancelled) == [.obeyCancel])
        // Nothing is asked before the coordinator has ended the run on its side.
        #expect(queue.requested(.left(alice)) == [])
        // The run is cancelled in the ledger already, so the ledger refuses the release.
        #expect(queue.runEnded(.cancelled) == [.ask(.release(cancelled: true))])
        #expect(queue.answered() == [.leave, .ask(.left(alice))])
    }

    @Test func pauseThatWasMadeWhileTheLedgerWasAwayIsObeyed() {
        var queue = LedgerQueueStateMachine.lost(confirm(0))
        _ = queue.refused()
        #expect(queue.standingRead(.paused(by: "ann on far")) == [.noteAway(nil), .obeyPause(by: "ann on far")])
        // The run is paused in the ledger already, so the ledger refuses the release.
        #expect(queue.runEnded(.drained) == [.ask(.release(cancelled: false))])
        #expect(queue.refused() == [.leave])
    }

    @Test func endInACommitWhoseAnswerWasLostIsFound() {
        var queue = LedgerQueueStateMachine.lost(.dispatch(.conclude))
        _ = queue.refused()
        #expect(queue.standingRead(.ended(done: 2, failed: 1)) == [.noteAway(nil), .conclude(done: 2, failed: 1)])
        #expect(queue.runEnded(.concluded(done: 2, failed: 1)) == [.leave])
    }

    @Test func connectionThatBreaksInTheInquiryIsMadeAgain() {
        var queue = LedgerQueueStateMachine.asking(.renew)
        _ = queue.refused()
        let away = failure(.away)
        #expect(
            queue.failed(away, now: .zero) == [.suspendDispatch, .announceLoss(away), .noteAway(away), .ask(.renew)])
        // The connection breaks once more, so the outage continues.
        _ = queue.refused()
        #expect(queue.failed(away, now: .seconds(1)) == [.noteAway(away), .pause(.milliseconds(100))])
    }

    @Test func inquiryThatFailsForGoodEndsIt() {
        var queue = LedgerQueueStateMachine.asking(.renew)
        _ = queue.refused()
        #expect(queue.failed(failure(.lasting), now: .zero) == [.stop(.failed(failure(.lasting)))])
    }
}
