import Sharding
import Testing

@testable import Coordinator

@Suite struct StallWatchTests {
    private static let alice = WorkerID("alice")

    @Test func runWithoutACommitForTheLimitSaysWhatEachWorkerDoes() {
        var watch = StallWatch()
        func hear(_ second: Int, sequence: Int64) {
            watch.heard(
                from: Self.alice, sequence: sequence, rowsDone: 0, words: "alice waits for pid 7", now: .seconds(second)
            )
        }
        hear(1, sequence: 1)
        hear(50, sequence: 2)
        hear(100, sequence: 2)
        #expect(watch.words(now: .seconds(109)) == nil)
        #expect(watch.words(now: .seconds(110)) == "no batch has committed for 60 s: alice waits for pid 7")
        // A commit ends it.
        hear(115, sequence: 3)
        #expect(watch.words(now: .seconds(174)) == nil)
        #expect(watch.words(now: .seconds(175)) == "no batch has committed for 60 s: alice waits for pid 7")
    }

    @Test func runWhoseWorkersHoldNothingSaysSo() {
        var watch = StallWatch()
        watch.heard(from: Self.alice, sequence: 1, rowsDone: 5, words: "alice computes", now: .seconds(1))
        watch.left(Self.alice)
        #expect(watch.words(now: .seconds(90)) == "no batch has committed for 89 s: no worker holds a shard")
    }

    @Test func onlySomeOfManyWorkersAreNamed() {
        var watch = StallWatch()
        for number in 1...5 {
            watch.heard(
                from: WorkerID("w\(number)"), sequence: 1, rowsDone: 0, words: "w\(number) computes", now: .zero)
        }
        #expect(
            watch.words(now: .seconds(60))
                == "no batch has committed for 60 s: w1 computes, w2 computes, w3 computes, and 2 more")
    }
}
