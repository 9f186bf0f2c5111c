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

    // MARK: - A limited pace

    /// Workers that write `batch` rows in each turn, one batch after another, each as fast as `speed`.
    private func written(by workers: Int, batch: Int64, rate: Int64, over seconds: Int) -> (rows: Int64, most: Int64) {
        let names = (0..<workers).map { WorkerID("worker-\($0)") }
        var turns = TurnTable(limit: workers, batchRows: Int(batch))
        var rows = Dictionary(uniqueKeysWithValues: names.map { ($0, Int64(0)) })
        var granted: [TurnTable.Grant] = turns.paced(rate, now: .zero)
        for name in names { granted += turns.wanted(name, rows: 0, now: .zero) }
        var (total, most) = (Int64(0), Int64(0))
        var second = Int64(0)
        for tick in 1...(seconds * 10) {
            let now = Duration.milliseconds(tick * 100)
            granted += turns.timePassed(now: now)
            let turnsNow = granted
            granted = []
            for grant in turnsNow {
                var left = grant.rows ?? .max
                while left > 0 {
                    rows[grant.worker, default: 0] += batch
                    (total, second, left) = (total + batch, second + batch, left - Int(batch))
                }
                granted += turns.wanted(grant.worker, rows: rows[grant.worker] ?? 0, now: now)
            }
            #expect(turns.checkInvariants() == nil)
            if tick % 10 == 0 { (most, second) = (max(most, second), 0) }
        }
        return (total, most)
    }

    @Test(arguments: [(1, 100, 20_000), (8, 100, 20_000), (8, 1000, 20_000), (8, 1000, 100), (3, 7, 50), (8, 1, 1)])
    func allWorkersTogetherWriteAsManyRowsAsTheRateSaysAndNoMore(workers: Int, batch: Int64, rate: Int64) {
        let seconds = 100
        let (rows, most) = written(by: workers, batch: batch, rate: rate, over: seconds)
        let due = rate * Int64(seconds)
        // One batch a worker too many at the most, and never a burst.
        #expect(rows <= due + rate / 4 + batch * Int64(workers) && rows >= due * 8 / 10 - batch, "\(rows) of \(due)")
        #expect(most <= rate * 5 / 4 + batch * 2, "\(most) in a second")
    }

    @Test func longBatchKeepsItsTurnWhereNoMoreMayWrite() {
        var turns = TurnTable(limit: 1)
        _ = turns.wanted(alice, now: .zero)
        _ = turns.wanted(bob, now: .zero)
        for second in 1...9 {
            turns.isWriting(alice, for: .seconds(2), now: .seconds(second))
            #expect(turns.timePassed(now: .seconds(second) + .milliseconds(999)) == [])
        }
        // One that is heard no more has no turn for ever, and one that had none gets none.
        turns.isWriting(bob, for: .seconds(2), now: .seconds(10))
        #expect(turns.timePassed(now: .seconds(12)).map(\.worker) == [bob])
    }

    @Test func workerThatIsGoneKeepsNoRowsFromTheOthers() {
        var turns = TurnTable(limit: 2, batchRows: 10)
        _ = turns.paced(100, now: .zero)
        _ = turns.wanted(alice, now: .zero)
        _ = turns.wanted(bob, now: .zero)
        #expect(turns.timePassed(now: .milliseconds(200)).count >= 1)
        _ = turns.left(alice, now: .milliseconds(200))
        #expect(turns.timePassed(now: .milliseconds(600)).contains { $0.worker == bob } || turns.inFlight == 1)
    }

    /// Whatever a worker says, the others get their rows soon.
    @Test(arguments: [Int64.max, -1, 5_000_000_000_000]) func wrongReportCostsABoundedTime(rows: Int64) {
        var turns = TurnTable(limit: 2, batchRows: 10)
        _ = turns.paced(1_000_000, now: .zero)
        _ = turns.wanted(alice, rows: 0, now: .zero)
        _ = turns.timePassed(now: .milliseconds(100))
        _ = turns.wanted(alice, rows: rows, now: .milliseconds(100))
        _ = turns.wanted(alice, rows: 0, now: .milliseconds(100))
        _ = turns.ended(alice, now: .milliseconds(100))
        _ = turns.wanted(bob, rows: 0, now: .milliseconds(100))
        #expect(turns.inFlight == 1 || !turns.timePassed(now: .seconds(21)).isEmpty)
        #expect(turns.checkInvariants() == nil)
    }

    @Test func liftedLimitLetsAllInAndANewOneCountsAnew() {
        var turns = TurnTable(limit: 3, batchRows: 10)
        _ = turns.paced(1, now: .zero)
        for worker in [alice, bob, carol] { _ = turns.wanted(worker, rows: 1_000_000, now: .zero) }
        #expect(turns.timePassed(now: .zero) == [])
        #expect(turns.paced(nil, now: .zero).map(\.rows) == [nil, nil, nil])
        // What was written without a limit is no debt.
        _ = turns.paced(100, now: .seconds(1))
        _ = turns.wanted(alice, rows: 2_000_000, now: .seconds(1))
        #expect(turns.timePassed(now: .milliseconds(1100)).map(\.worker) == [alice])
        // A debt is not forgiven by setting the limit again.
        _ = turns.wanted(alice, rows: 2_001_000, now: .milliseconds(1100))
        _ = turns.paced(100, now: .milliseconds(1100))
        #expect(turns.timePassed(now: .seconds(9)) == [])
        #expect(turns.timePassed(now: .seconds(12)).map(\.worker) == [alice])
    }
}
