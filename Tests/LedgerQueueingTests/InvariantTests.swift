import Dispatching
import Sharding
import Testing

@testable import LedgerQueueing

@Suite struct InvariantTests {
    struct Damage: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let words: String
        let damage: @Sendable (inout LedgerQueueStateMachine) -> Void
    }

    /// States that only a mistake in the machine can cause. The machine asks about shard 0, and a renewal waits.
    static let damages = [
        Damage(testDescription: "work that is forgotten", words: "it is idle though something is to be done") {
            $0.phase = .idle
        },
        Damage(testDescription: "a renewal too many", words: "renew waits twice") {
            $0.waiting.append(.init(.renew))
        },
        Damage(
            testDescription: "a renewal that waits for a task",
            words: "the renewal of the ownership waits for another task"
        ) { $0.waiting.insert(.init(.note), at: 0) },
        Damage(testDescription: "a task that waits for a try too many", words: "note waits for try 11") {
            $0.waiting.append(.init(.note, tries: 11))
        },
        Damage(testDescription: "a release that waits too early", words: "the run is given back 1 times") {
            $0.waiting.append(.init(.release(cancelled: false)))
        },
        Damage(testDescription: "a release too early", words: "the run is given back before its end") {
            $0.phase = .asking(.release(cancelled: false), tries: 0)
        },
        Damage(testDescription: "a try too many", words: "it tries") { $0.phase = .asking(.note, tries: 11) },
        Damage(testDescription: "a pause before the first try", words: "it waits for try 0") {
            $0.phase = .retrying(.note, tries: 0)
        },
        Damage(testDescription: "a pause without end", words: "it would wait for 900.0 seconds") {
            $0.phase = .away(LedgerQueueStateMachine.Outage(since: .zero, pause: .seconds(900)))
        },
        Damage(testDescription: "work after the end", words: "it has stopped, and something is to be done") {
            $0.phase = .stopped
        },
        Damage(testDescription: "a question after the end", words: "note waits after the end of the run") {
            _ = $0.runEnded(.drained)
            $0.waiting.append(.init(.note))
        },
        Damage(testDescription: "a second end", words: "it ends the run twice") {
            _ = $0.runEnded(.drained)
            $0.phase = .ending
        },
    ]

    @Test(arguments: damages) func brokenInvariantIsNoticed(damage: Damage) {
        var queue = LedgerQueueStateMachine.asking(confirm(0), .renew)
        #expect(queue.checkInvariants() == nil)
        damage.damage(&queue)
        #expect(queue.checkInvariants()?.hasPrefix(damage.words) == true, "\(queue.checkInvariants() ?? "nothing")")
    }

    typealias Event = @Sendable (inout LedgerQueueStateMachine) -> [LedgerQueueAction]

    private static let answers: [(name: String, event: Event)] = [
        ("answered", { $0.answered() }), ("refused", { $0.refused() }), ("pauseEnded", { $0.pauseEnded() }),
        ("standingRead", { $0.standingRead(.taken) }), ("failed", { $0.failed(failure(.away), now: .zero) }),
    ]

    @Test func answerThatNothingWaitsForIsTheShellsMistakeAndChangesNothing() {
        for (name, event) in Self.answers {
            var queue = LedgerQueueStateMachine()
            #expect(event(&queue) == [])
            #expect(queue.phase == .idle)
            #expect(queue.checkInvariants()?.hasPrefix("\(name) was told while it was idle") == true)
        }
    }

    @Test func answerToAnotherQuestionIsTheShellsMistake() {
        var queue = LedgerQueueStateMachine.asking(confirm(0))
        #expect(queue.pauseEnded() == [])
        #expect(queue.checkInvariants()?.hasPrefix("pauseEnded was told while it was asking") == true)
    }

    /// A request that is under way when the coordinator ends still gets its answer.
    @Test func answerThatTheEndHasOvertakenIsNoMistake() {
        for (_, event) in Self.answers {
            var queue = LedgerQueueStateMachine.asking(confirm(0), .renew)
            queue.serviceEnded()
            #expect(event(&queue) == [])
            #expect(queue.checkInvariants() == nil)
        }
    }

    @Test func timeThatGoesBackIsTheShellsMistake() {
        var queue = LedgerQueueStateMachine.lost(confirm(0), now: .seconds(7))
        _ = queue.failed(failure(.away), now: .seconds(6))
        #expect(queue.checkInvariants()?.hasPrefix("it failed at 6.0 seconds, after 7.0 seconds") == true)
    }
}
