import Dispatching
import Sharding
import Testing

@testable import LedgerQueueing

@Suite struct LossTests {
    @Test func connectionThatBreaksInATaskIsMadeAgainByRenewingTheOwnership() {
        var queue = LedgerQueueStateMachine.asking(confirm(0))
        let away = failure(.away, "server closed the connection")
        #expect(
            queue.failed(away, now: .zero) == [.suspendDispatch, .announceLoss(away), .noteAway(away), .ask(.renew)])
    }

    /// The ledger beats memory: what was decided before the loss is void.
    @Test func everythingIsReadAgainFirstAndWhatWasAskedBeforeIsNotAskedAgain() {
        var queue = LedgerQueueStateMachine.lost(confirm(0), confirm(1), .renew, .note)
        #expect(queue.answered() == [.noteAway(nil), .ask(reload)])
        #expect(queue.answered() == [])
    }

    @Test func whatIsAskedMeanwhileComesAfterTheReload() {
        var queue = LedgerQueueStateMachine.lost(confirm(0))
        #expect(queue.requested(confirm(1)) == [])
        #expect(queue.answered() == [.noteAway(nil), .ask(reload)])
        #expect(queue.answered() == [.ask(confirm(1))])
    }

    /// No other process would write it.
    @Test(arguments: [LedgerTask.left(alice), .batchRows(100), attempt(7)])
    func whatOnlyTheCoordinatorKnowsIsWrittenAfterAll(task: LedgerTask) {
        var underWay = LedgerQueueStateMachine.lost(task, confirm(0))
        #expect(underWay.answered() == [.noteAway(nil), .ask(reload)])
        #expect(underWay.answered() == [.ask(task)])
        var waits = LedgerQueueStateMachine.lost(confirm(0), task)
        _ = waits.answered()
        #expect(waits.answered() == [.ask(task)])
    }

    /// Otherwise a failure would not count, and its error would be lost.
    @Test func endOfAnAttemptIsWrittenBeforeItsShardIsLeasedAgain() {
        let lease = LedgerTask.dispatch(.recordLease(ShardID(7), worker: alice, after: Epoch(1)))
        var queue = LedgerQueueStateMachine.lost(attempt(7), confirm(0))
        #expect(queue.requested(lease) == [])
        #expect(queue.answered() == [.noteAway(nil), .ask(reload)])
        #expect(queue.answered() == [.ask(attempt(7))])
        #expect(queue.answered() == [.ask(lease)])
    }

    @Test func pausesBetweenAttemptsDoubleUpToTheLongest() {
        var queue = LedgerQueueStateMachine.lost(confirm(0))
        var pauses: [Duration] = []
        for second in 1...8 {
            let away = failure(.away, "attempt \(second)")
            let actions = queue.failed(away, now: .seconds(second))
            guard case .pause(let pause)? = actions.last else {
                Issue.record("\(actions)")
                return
            }
            // Each attempt may fail for another reason.
            #expect(actions == [.noteAway(away), .pause(pause)])
            pauses.append(pause)
            #expect(queue.pauseEnded() == [.ask(.renew)])
        }
        #expect(pauses == [100, 200, 400, 800, 1600, 2000, 2000, 2000].map { .milliseconds($0) })
    }

    @Test func nextLossBeginsWithTheShortestPause() {
        var queue = LedgerQueueStateMachine.lost(confirm(0))
        _ = queue.failed(failure(.away), now: .zero)
        _ = queue.pauseEnded()
        _ = queue.answered()
        _ = queue.failed(failure(.away), now: .seconds(900))
        #expect(queue.failed(failure(.away), now: .seconds(900)).last == .pause(.milliseconds(100)))
    }

    @Test func ledgerThatIsAwayForTooLongEndsIt() {
        var queue = LedgerQueueStateMachine.lost(confirm(0), now: .seconds(7))
        #expect(queue.failed(failure(.away), now: .milliseconds(606_999)).last == .pause(.milliseconds(100)))
        _ = queue.pauseEnded()
        let last = failure(.away, "no route to host")
        #expect(queue.failed(last, now: .seconds(607)) == [.stop(.away(last))])
        #expect(queue.requested(confirm(1)) == [])
    }

    /// While the server starts from a copy, it may refuse the password, for example.
    @Test func whatWouldOtherwiseEndItIsWaitedForWhileTheLedgerIsAway() {
        var queue = LedgerQueueStateMachine.lost(confirm(0))
        #expect(
            queue.failed(failure(.lasting), now: .zero) == [.noteAway(failure(.lasting)), .pause(.milliseconds(100))])
    }

    @Test func damageEndsItWhileTheLedgerIsAway() {
        var queue = LedgerQueueStateMachine.lost(confirm(0))
        #expect(queue.failed(failure(.damage), now: .zero) == [.stop(.failed(failure(.damage)))])
    }

    @Test func coordinatorThatEndsWhileTheLedgerIsAwayAsksNothingMore() {
        var queue = LedgerQueueStateMachine.lost(confirm(0))
        _ = queue.failed(failure(.away), now: .zero)
        queue.serviceEnded()
        #expect(queue.pauseEnded() == [])
        #expect(queue.requested(.renew) == [])
        #expect(queue.runEnded(.drained) == [])
    }
}

@Suite struct LastingFailureTests {
    /// For example, a foreign key is violated since the run's rows are gone.
    @Test func runIsLookedUpBeforeAnErrorThatLastsEndsIt() {
        var queue = LedgerQueueStateMachine.asking(confirm(0))
        #expect(queue.failed(failure(.lasting, "violates"), now: .zero) == [.inquire])
        #expect(queue.standingRead(.owned) == [.stop(.failed(failure(.lasting, "violates")))])
    }

    @Test(arguments: LedgerFailure.Kind.allCases)
    func onlyDamageSaysMoreThanTheErrorItself(kind: LedgerFailure.Kind) {
        var queue = LedgerQueueStateMachine.asking(confirm(0))
        _ = queue.failed(failure(.lasting, "violates"), now: .zero)
        let expected = kind == .damage ? failure(.damage, "the run is gone") : failure(.lasting, "violates")
        #expect(queue.failed(failure(kind, "the run is gone"), now: .zero) == [.stop(.failed(expected))])
    }

    @Test func damageEndsItAtOnce() {
        var queue = LedgerQueueStateMachine.asking(confirm(0), confirm(1))
        #expect(queue.failed(failure(.damage), now: .zero) == [.stop(.failed(failure(.damage)))])
        #expect(queue.answered() == [])
    }
}
