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

    /// Without it, the ownership would lapse while a task is tried again, and a living coordinator be ousted.
    @Test func ownershipIsRenewedBetweenTheTriesOfATask() {
        var queue = LedgerQueueStateMachine.asking(confirm(0), confirm(1))
        for count in 1...queue.configuration.retries {
            #expect(queue.failed(failure(.busy), now: .zero) == [.pause(.milliseconds(50 * count))])
            #expect(queue.requested(.renew) == [])
            #expect(queue.pauseEnded() == [.ask(.renew)])
            #expect(queue.answered() == [.ask(confirm(0))])
        }
        // The renewals do not give the task more tries.
        #expect(queue.failed(failure(.busy), now: .zero).first == .suspendDispatch)
    }

    @Test func renewalThatMeetsALockIsTriedAgainBeforeTheTaskThatMetOne() {
        var queue = LedgerQueueStateMachine.asking(confirm(0))
        _ = queue.failed(failure(.busy), now: .zero)
        _ = queue.requested(.renew)
        #expect(queue.pauseEnded() == [.ask(.renew)])
        #expect(queue.failed(failure(.busy), now: .zero) == [.pause(.milliseconds(50))])
        #expect(queue.requested(.renew) == [])
        #expect(queue.pauseEnded() == [.ask(.renew)])
        #expect(queue.failed(failure(.busy), now: .zero) == [.pause(.milliseconds(100))])
        #expect(queue.pauseEnded() == [.ask(.renew)])
        #expect(queue.answered() == [.ask(confirm(0))])
        #expect(queue.failed(failure(.busy), now: .zero) == [.pause(.milliseconds(100))])
        #expect(queue.checkInvariants() == nil)
    }

    /// The lock of one shard's row is no reason to keep the workers from the other shards.
    @Test func leaseThatMeetsALockIsTriedAgainBehindTheOtherTasks() {
        func lease(_ shard: Int32) -> LedgerTask {
            .dispatch(.recordLease(ShardID(shard), worker: alice, after: Epoch(1)))
        }
        var queue = LedgerQueueStateMachine.asking(lease(3), lease(4), confirm(0))
        _ = queue.failed(failure(.busy), now: .zero)
        #expect(queue.pauseEnded() == [.ask(lease(4))])
        #expect(queue.answered() == [.ask(confirm(0))])
        #expect(queue.answered() == [.ask(lease(3))])
        #expect(queue.failed(failure(.busy), now: .zero) == [.endHolder(ShardID(3)), .pause(.milliseconds(100))])
        _ = queue.pauseEnded()
        #expect(queue.answered() == [])
    }

    @Test func taskThatIsTriedAgainIsNotAskedForAfterTheEndOfTheRun() {
        let lease = LedgerTask.dispatch(.recordLease(ShardID(3), worker: alice, after: Epoch(1)))
        for task in [lease, confirm(0)] {
            var queue = LedgerQueueStateMachine.asking(task, attempt(7))
            _ = queue.failed(failure(.busy), now: .zero)
            #expect(queue.runEnded(.drained) == [])
            #expect(queue.pauseEnded() == [.ask(attempt(7))])
            #expect(queue.answered() == [.ask(.release(cancelled: false))])
            #expect(queue.checkInvariants() == nil)
        }
    }

    @Test func figuresThatAreTriedAgainWaitOnce() {
        var queue = LedgerQueueStateMachine.asking(.note)
        _ = queue.failed(failure(.busy), now: .zero)
        _ = queue.requested(.note)
        _ = queue.requested(.renew)
        #expect(queue.pauseEnded() == [.ask(.renew)])
        #expect(queue.checkInvariants() == nil)
        #expect(queue.answered() == [.ask(.note)])
        #expect(queue.answered() == [])
    }
}
