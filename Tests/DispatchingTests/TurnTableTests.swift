import Sharding
import Testing

@testable import Dispatching

@Suite struct TurnTableTests {
    private let carol = WorkerID("carol")

    private func grant(_ worker: WorkerID, _ slice: Duration = TurnTable.longSlice) -> TurnTable.Grant {
        TurnTable.Grant(worker: worker, slice: slice)
    }

    @Test func asManyAsTheLimitWriteAndTheOthersFollowInTheirOrder() {
        var turns = TurnTable(limit: 1)
        #expect(turns.wanted(alice, now: .zero) == [grant(alice)])
        #expect(turns.wanted(bob, now: .zero) == [])
        #expect(turns.wanted(carol, now: .zero) == [])
        #expect(turns.inFlight == 1 && turns.waiting == 2)
        // Alice wants to go on: she is the last in the line. Somebody waits, so that bob's turn is short.
        #expect(turns.wanted(alice, now: .zero) == [grant(bob, TurnTable.slice)])
        #expect(turns.ended(bob, now: .zero) == [grant(carol, TurnTable.slice)])
        #expect(turns.ended(carol, now: .zero) == [grant(alice)])
        #expect(turns.ended(alice, now: .zero) == [])
        #expect(turns.inFlight == 0 && turns.waiting == 0 && turns.checkInvariants() == nil)
    }

    @Test func whoeverWaitsAndLeavesHasNoTurn() {
        var turns = TurnTable(limit: 1)
        _ = turns.wanted(alice, now: .zero)
        _ = turns.wanted(bob, now: .zero)
        #expect(turns.ended(bob, now: .zero) == [])
        #expect(turns.ended(alice, now: .zero) == [])
        #expect(turns.waiting == 0)
    }

    /// A worker that is killed or frozen in its turn keeps nobody out for longer than a second.
    @Test func turnWhoseEndIsNotToldEndsByItself() {
        var turns = TurnTable(limit: 1)
        _ = turns.wanted(alice, now: .zero)
        _ = turns.wanted(bob, now: .zero)
        let over = TurnTable.longSlice + TurnTable.grace
        #expect(turns.timePassed(now: over - .milliseconds(1)) == [])
        #expect(turns.timePassed(now: over) == [grant(bob)])
        // Alice wakes, and tells an end that is none any more.
        #expect(turns.ended(alice, now: over) == [])
        #expect(turns.inFlight == 1)
    }

    @Test func higherLimitLetsThoseInThatWait() {
        var turns = TurnTable(limit: 1)
        for worker in [alice, bob, carol] { _ = turns.wanted(worker, now: .zero) }
        #expect(turns.limited(to: 3, now: .zero) == [grant(bob, TurnTable.slice), grant(carol)])
        // A lower one waits for the ends of turns.
        #expect(turns.limited(to: 0, now: .zero) == [] && turns.limit == 1)
        #expect(turns.wanted(alice, now: .zero) == [])
        #expect(turns.ended(bob, now: .zero) == [])
        #expect(turns.ended(carol, now: .zero) == [grant(alice)])
        #expect(turns.checkInvariants() == nil)
    }

    @Test func sameWorkerWaitsOnce() {
        var turns = TurnTable(limit: 1)
        _ = turns.wanted(alice, now: .zero)
        for _ in 0..<3 { #expect(turns.wanted(bob, now: .zero) == []) }
        #expect(turns.waiting == 1)
    }
}
