import Dispatching
import Sharding
import Testing

@testable import LedgerQueueing

@Suite struct LockTests {
    @Test func taskThatMetALockIsTriedAgainBeforeTheNext() {
        var queue = LedgerQueueStateMachine.asking(confirm(0), confirm(1))
        #expect(queue.failed(failure(.busy), now: .zero) == [.pause(.milliseconds(50))])
        #expect(queue.requested(confirm(2)) == [])
        #expect(queue.pauseEnded() == [.ask(confirm(0))])
        #expect(queue.answered() == [.ask(confirm(1))])
    }

    @Test func pausesBetweenTriesGrowAndTheirNumberIsLimited() {
        var queue = LedgerQueueStateMachine.asking(confirm(0))
        for count in 1...queue.configuration.retries {
            #expect(queue.failed(failure(.busy), now: .zero) == [.pause(.milliseconds(50 * count))])
            #expect(queue.pauseEnded() == [.ask(confirm(0))])
        }
        // A ledger that stays locked for so long counts as away.
        let busy = failure(.busy)
        #expect(
            queue.failed(busy, now: .zero) == [.suspendDispatch, .announceLoss(busy), .noteAway(busy), .ask(.renew)])
    }

    @Test func nextTaskHasAllItsTries() {
        var queue = LedgerQueueStateMachine.asking(confirm(0), confirm(1))
        _ = queue.failed(failure(.busy), now: .zero)
        _ = queue.pauseEnded()
        _ = queue.answered()
        #expect(queue.failed(failure(.busy), now: .zero) == [.pause(.milliseconds(50))])
    }

    @Test func leaseThatWaitsForItsRowEndsTheSessionThatHoldsIt() {
        let lease = LedgerTask.dispatch(.recordLease(ShardID(3), worker: alice, after: Epoch(1)))
        var queue = LedgerQueueStateMachine.asking(lease)
        #expect(
            queue.failed(failure(.busy), now: .zero) == [.endHolder(ShardID(3)), .pause(.milliseconds(50))])
        #expect(queue.pauseEnded() == [.ask(lease)])
    }
}
