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

    /// Requests that the clock makes do not pile up while the ledger is slow or away.
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

    /// A long queue must not cost the ownership.
    @Test func renewalGoesBeforeAllThatWaits() {
        var queue = LedgerQueueStateMachine.asking(confirm(0), confirm(1), .note, .renew)
        #expect(queue.answered() == [.ask(.renew)])
        #expect(queue.answered() == [.ask(confirm(1))])
        #expect(queue.answered() == [.ask(.note)])
    }
}
