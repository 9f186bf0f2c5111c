import Sharding
import Testing

@testable import LedgerQueueing

@Suite struct OrderTests {
    @Test func oneTaskIsUnderWayAndTheRestKeepsItsOrder() {
        var queue = LedgerQueueStateMachine()
        #expect(queue.requested(confirm(0)) == [.ask(confirm(0))])
        #expect(queue.requested(confirm(1)) == [])
        #expect(queue.requested(.left(alice)) == [])
        #expect(queue.answered() == [.ask(confirm(1))])
        #expect(queue.requested(confirm(2)) == [])
        #expect(queue.answered() == [.ask(.left(alice))])
        #expect(queue.answered() == [.ask(confirm(2))])
        #expect(queue.answered() == [])
        #expect(queue.requested(confirm(3)) == [.ask(confirm(3))])
    }

    /// A ledger that is slow, or away for long, does not pile up what is asked by the clock.
    @Test func renewalsAndFiguresWaitOnce() {
        var queue = LedgerQueueStateMachine.asking(.renew)
        for _ in 0..<100 {
            #expect(queue.requested(.renew) == [])
            #expect(queue.requested(.note) == [])
        }
        #expect(queue.answered() == [.ask(.renew)])
        #expect(queue.answered() == [.ask(.note)])
        #expect(queue.answered() == [])
    }

}
