import Progress
import Sharding
import Testing

private let (a, b) = (WorkerID("a"), WorkerID("b"))
private let (first, second) = (ShardID(1), ShardID(2))

private func model(estimated: Int64 = 1000, done: Int64 = 0) -> ProgressModel {
    var model = ProgressModel(run: RunID(3), job: "job", rowsEstimated: estimated, rowsDone: done, now: .seconds(100))
    model.workerJoined(a, host: "beta", pid: 7, local: true, now: .seconds(100))
    model.workerJoined(b, host: "alpha", pid: 9, local: false, now: .seconds(100))
    return model
}

extension ProgressModel {
    /// A report at `at` seconds after the run began at 100 s.
    fileprivate mutating func reported(_ id: WorkerID, _ shard: ShardID?, _ rows: Int64, at seconds: Double = 0) {
        workerReported(
            id, shard: shard, shardRowsDone: rows, rssBytes: 10, peakRSSBytes: 20, now: .seconds(100 + seconds))
    }

    fileprivate func snapshot(at seconds: Double) -> ProgressSnapshot { snapshot(now: .seconds(100 + seconds)) }
    fileprivate func worker(_ id: WorkerID) -> WorkerProgress? { peaks.first { $0.id == id } }
}

@Suite struct RowCounts {
    enum Event: Sendable {
        case report(WorkerID, ShardID?, Int64)
        case ledger(ShardID, Int64)
        case left(WorkerID)
    }

    @Test(
        arguments: [
            ("nothing", [], 0, 0, 0),
            ("grows", [.report(a, first, 5), .report(a, first, 9)], 9, 9, 0),
            ("repeated", [.report(a, first, 9), .report(a, first, 9)], 9, 9, 0),
            ("reordered", [.report(a, first, 9), .report(a, first, 5), .report(a, first, 12)], 12, 12, 0),
            ("two shards", [.report(a, first, 5), .report(b, second, 7)], 12, 5, 7),
            ("idle", [.report(a, first, 5), .report(a, nil, 99)], 5, 5, 0),
            ("below zero", [.report(a, first, -5)], 0, 0, 0),
            ("takeover", [.report(a, first, 5), .left(a), .report(b, first, 8)], 8, 5, 3),
            ("late from A", [.report(a, first, 5), .report(b, first, 8), .report(a, first, 6)], 8, 5, 3),
            ("late, old shard", [.report(a, first, 5), .report(a, second, 3), .report(a, first, 4)], 8, 8, 0),
            ("unknown worker", [.report(WorkerID("x"), first, 5)], 5, 0, 0),
            ("after it left", [.left(a), .report(a, first, 5)], 5, 5, 0),
            ("ledger confirms", [.report(a, first, 5), .ledger(first, 5)], 5, 5, 0),
            ("last batch unreported", [.report(a, first, 5), .report(a, second, 1), .ledger(first, 8)], 9, 9, 0),
            ("failover", [.report(a, first, 9), .ledger(first, 4)], 4, 9, 0),
            ("redone after failover", [.report(a, first, 9), .ledger(first, 4), .report(b, first, 6)], 6, 9, 2),
            ("failover to nothing", [.report(a, first, 9), .ledger(first, 0), .ledger(second, 0)], 0, 9, 0),
        ] as [(String, [Event], Int64, Int64, Int64)])
    func sumOfTheHighestKnownPerShard(_ name: String, _ events: [Event], run: Int64, ofA: Int64, ofB: Int64) {
        var model = model()
        for event in events {
            switch event {
            case .report(let id, let shard, let rows): model.reported(id, shard, rows)
            case .ledger(let shard, let rows): model.shardRowsKnown(shard, rowsDone: rows)
            case .left(let id): model.workerLeft(id, now: .seconds(100))
            }
        }
        #expect(model.snapshot(at: 1).rowsDone == run, "\(name)")
        #expect(model.worker(a)?.rowsDone == ofA, "\(name)")
        #expect(model.worker(b)?.rowsDone == ofB, "\(name)")
    }

    @Test func rowsOfEarlierCoordinatorsCountOnceAndAreNoProgress() {
        var model = model(done: 300)
        #expect(model.snapshot(at: 1).rowsDone == 300)
        model.shardRowsKnown(first, rowsDone: 200)
        model.shardRowsKnown(second, rowsDone: 100)
        #expect(model.snapshot(at: 1).rowsDone == 300)
        #expect(model.snapshot(at: 1).rowsPerSecond == 0)
        model.reported(a, second, 150, at: 1)
        model.reported(b, ShardID(3), 10, at: 1)
        #expect(model.snapshot(at: 2).rowsDone == 360)
        #expect(model.snapshot(at: 2).rowsPerSecond == 30)
        #expect(model.worker(a)?.rowsDone == 50)
    }

    @Test func shardThatEndedBetweenReportsIsCreditedToTheNamedWorker() {
        var model = model()
        model.shardRowsKnown(first, rowsDone: 40, by: b)
        #expect(model.worker(b)?.rowsDone == 40)
    }

    @Test func absurdClaimsNeverTrap() {
        var model = model(estimated: .max, done: .max)
        for shard in 0..<5000 { model.reported(a, ShardID(Int32(shard)), .max, at: Double(shard) / 1000) }
        model.workerReported(a, shard: nil, shardRowsDone: .min, rssBytes: .min, peakRSSBytes: .max, now: .zero)
        let snapshot = model.snapshot(at: 5)
        #expect((0...99).contains(snapshot.percent))
        #expect(!ProgressView.bars(snapshot, width: 80, height: 24, color: true).isEmpty)
    }

    /// Any order and repetition of one set of reports ends at the same sum.
    @Test(arguments: 0..<50 as Range<UInt64>)
    func orderAndRepetitionDoNotMatter(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var reports = (0..<40).map { _ in
            (
                Bool.random(using: &generator) ? a : b, ShardID(.random(in: 0..<6, using: &generator)),
                Int64.random(in: 0..<500, using: &generator)
            )
        }
        let highest = Dictionary(reports.map { ($0.1, $0.2) }, uniquingKeysWith: max).values.reduce(0, +)
        reports += reports.prefix(10)
        reports.shuffle(using: &generator)
        var model = model()
        var before: Int64 = 0
        for (id, shard, rows) in reports {
            model.reported(id, shard, rows)
            let now = model.snapshot(at: 0).rowsDone
            #expect(now >= before)
            before = now
        }
        #expect(before == highest)
        #expect(model.peaks.map(\.rowsDone).reduce(0, +) == highest)
    }
}

@Suite struct Rates {
    @Test(arguments: [0.6, 1, 2, 5, 9.9, 10, 10.5, 30, 1000])
    func steadyReportsGiveTheirRate(until end: Double) {
        var model = model(estimated: 10_000_000)
        var time = 0.0
        while time <= end {
            model.reported(a, first, Int64(time * 1000), at: time)
            model.reported(b, second, Int64(time * 500), at: time)
            time += 0.1
        }
        let snapshot = model.snapshot(at: end)
        let tolerance = end < 1 ? 0.2 : 0.1
        #expect(abs(snapshot.rowsPerSecond - 1500) <= 1500 * tolerance)
        #expect(abs(snapshot.workers[1].rowsPerSecond - 1000) <= 1000 * tolerance)
        #expect(abs(snapshot.workers[0].rowsPerSecond - 500) <= 500 * tolerance)
    }

    /// Reports once a second, looked at any moment between: the rate neither saws nor jumps.
    @Test func reportsOnceASecondGiveACalmRate() {
        var model = model()
        for second in 1...40 {
            model.reported(a, first, Int64(second) * 1000, at: Double(second))
            for part in 0..<10 where second >= 12 {
                let rate = model.snapshot(at: Double(second) + Double(part) / 10).rowsPerSecond
                #expect(abs(rate - 1000) <= 100)
            }
        }
    }

    @Test func stalledRunIsAtZeroWithinTheWindow() {
        var model = model()
        for second in 1...20 { model.reported(a, first, Int64(second) * 10, at: Double(second)) }
        #expect(model.snapshot(at: 29).rowsPerSecond > 0)
        #expect(model.snapshot(at: 30).rowsPerSecond == 0)
        #expect(model.snapshot(at: 30).eta == nil)
        #expect(model.snapshot(at: 30).workers[1].rowsPerSecond == 0)
        #expect(model.snapshot(at: 1_000_000).rowsPerSecond == 0)
        model.reported(a, first, 295, at: 1_000_000)
        #expect((9...10).contains(model.snapshot(at: 1_000_000).rowsPerSecond))
    }

    @Test func oneBurstWeighsItsRowsOverTheWindow() {
        var model = model(estimated: 1_000_000)
        model.reported(a, first, 95_000, at: 60)
        #expect((9500...10_000).contains(model.snapshot(at: 60.1).rowsPerSecond))
    }

    @Test func rowsRightAfterTheStartAreNoHugeRate() {
        var model = model()
        model.reported(a, first, 100, at: 0.001)
        #expect(model.snapshot(at: 0.001).rowsPerSecond == 200)
    }

    @Test func failoverThatLowersRowsDoesNotMakeTheRateNegative() {
        var model = model()
        model.reported(a, first, 500, at: 1)
        model.shardRowsKnown(first, rowsDone: 100)
        #expect(model.snapshot(at: 2).rowsPerSecond == 250)
    }

    @Test func aClockThatStepsBackCountsAsStandingStill() {
        var model = model()
        model.reported(a, first, 100, at: 5)
        model.reported(a, first, 200, at: 3)
        #expect(model.snapshot(at: 0) == model.snapshot(at: 5))
        #expect(model.snapshot(at: 0).rowsPerSecond == 40)
    }
}

@Suite struct ETA {
    /// 100 rows/s for 10 s and so 1000 rows, with an estimate and shards.
    @Test(
        arguments: [
            ("by rows", 3000, (6, 2, 4, 0), 20.0, 33),
            ("by rows, shards not counted", 2000, (0, 0, 0, 0), 10.0, 50),
            ("estimate reached: by shards", 1000, (3, 2, 4, 0), 8.0, 99),
            ("estimate passed: by shards", 10, (3, 2, 4, 0), 8.0, 99),
            ("no estimate: by shards", -1, (3, 2, 4, 0), 8.0, 44),
            ("estimate passed, no shard done", 10, (3, 2, 0, 0), nil, 99),
            ("estimate passed, shards not counted", 10, (0, 0, 0, 0), nil, 99),
            ("estimate too high", 1_000_000, (0, 0, 4, 0), 0.0, 100),
            ("only failed shards left", 1100, (0, 0, 4, 1), nil, 90),
            ("estimate met, failed left", 1000, (0, 0, 4, 1), nil, 99),
            ("beyond reason", 1 << 44, (6, 2, 4, 0), nil, 0),
        ] as [(String, Int64, (Int, Int, Int, Int), Double?, Int)])
    func table(
        _ name: String, estimated: Int64, shards: (pending: Int, running: Int, done: Int, failed: Int), eta: Double?,
        percent: Int
    ) throws {
        var model = model(estimated: estimated)
        for second in 0..<100 { model.reported(a, first, Int64(second + 1) * 10, at: Double(second) / 10) }
        model.shardsCounted(
            pending: shards.pending, running: shards.running, done: shards.done, failed: shards.failed)
        let snapshot = model.snapshot(at: 9.99)
        #expect(snapshot.percent == percent, "\(name)")
        guard let eta else {
            #expect(snapshot.eta == nil, "\(name)")
            return
        }
        let seconds = Double(try #require(snapshot.eta, "\(name)").components.seconds)
        #expect(abs(seconds - eta) <= 1, "\(name)")
    }

    @Test func unknownBeforeTheFirstRow() {
        #expect(model().snapshot(at: 5).eta == nil)
    }

    @Test func emptyTableIsDoneWithItsShard() {
        var model = model(estimated: 0)
        #expect(model.snapshot(at: 0).percent == 0)
        model.shardsCounted(pending: 0, running: 0, done: 1, failed: 0)
        #expect(model.snapshot(at: 0).percent == 100)
        #expect(model.snapshot(at: 0).eta == .zero)
    }
}

@Suite struct Workers {
    @Test func areSortedByHostAndPidAndLeaveTheSnapshotButNotThePeaks() {
        var model = model()
        model.workerJoined(WorkerID("c"), host: "beta", pid: 3, local: true, now: .seconds(100))
        model.reported(a, first, 5, at: 2)
        #expect(model.snapshot(at: 3).workers.map(\.pid) == [9, 3, 7])
        #expect(model.snapshot(at: 3).workers.map(\.silentFor) == [.seconds(3), .seconds(3), .seconds(1)])
        #expect(model.snapshot(at: 3).workers[2].shard == first)
        model.workerLeft(a, now: .seconds(103))
        model.workerLeft(a, now: .seconds(103))
        #expect(model.snapshot(at: 3).workers.map(\.pid) == [9, 3])
        #expect(model.snapshot(at: 3).rowsDone == 5)
        #expect(model.peaks.map(\.peakRSSBytes) == [0, 0, 20])
    }

    @Test func peakNeverFallsAndSurvivesARejoin() {
        var model = model()
        for (rss, peak) in [(10, 50), (60, 55), (5, 5), (-1, -1)] as [(Int64, Int64)] {
            model.workerReported(
                a, shard: nil, shardRowsDone: 0, rssBytes: rss, peakRSSBytes: peak, now: .seconds(101))
        }
        #expect(model.worker(a)?.rssBytes == 0)
        model.workerLeft(a, now: .seconds(102))
        model.workerJoined(a, host: "moved", pid: 8, local: false, now: .seconds(103))
        #expect(model.worker(a)?.peakRSSBytes == 60)
        #expect(model.snapshot(at: 3).workers.map(\.host) == ["alpha", "moved"])
    }

    @Test func theDepartedAreBoundedAndTheHighestPeaksStay() {
        var model = model()
        let count = ProgressModel.departedLimit + 50
        for number in 1...count {
            let id = WorkerID("w\(number)")
            model.workerJoined(id, host: "h", pid: Int32(number), local: true, now: .seconds(100))
            model.workerReported(
                id, shard: nil, shardRowsDone: 0, rssBytes: 1, peakRSSBytes: Int64(number), now: .seconds(100))
            model.workerLeft(id, now: .seconds(100))
        }
        let peaks = model.peaks.filter { $0.host == "h" }.map(\.pid)
        #expect(peaks == Array(51...Int32(count)))
        #expect(model.snapshot(at: 0).workers.count == 2)
    }

    @Test func notesAreShownUntilTheirSourceTakesThemBack() {
        var model = model()
        model.noted("draining", from: .draining)
        model.noted("a lock", from: .locks)
        model.noted("away", from: .database)
        model.noted("b waits", from: .worker(b))
        #expect(model.snapshot(at: 0).notes == ["draining", "away", "a lock", "b waits"])
        #expect(model.snapshot(at: 0).note == "draining; away; a lock; b waits")
        model.noted(nil, from: .database)
        model.noted("cancelling", from: .draining)
        model.noted("", from: .locks)
        model.workerLeft(b, now: .seconds(101))
        model.noted("b waits", from: .worker(b))
        #expect(model.snapshot(at: 1).note == "cancelling")
        model.noted(nil, from: .draining)
        #expect(model.snapshot(at: 1).note == nil)
    }

    @Test func whyAWorkerCannotBeginIsShownBeforeItHasJoined() {
        var model = model()
        let guest = WorkerID("guest")
        model.noted("guest waits", from: .worker(guest))
        #expect(model.snapshot(at: 0).note == nil)
        model.noted("guest cannot begin", from: .beginning(guest))
        #expect(model.snapshot(at: 0).note == "guest cannot begin")
    }

    @Test func notesAreBoundedInNumberAndLength() {
        var model = model()
        for number in 1...20 {
            let id = WorkerID("w\(number)")
            model.workerJoined(id, host: "h", pid: Int32(number), local: true, now: .seconds(100))
            model.noted(String(repeating: "x", count: 1000), from: .worker(id))
        }
        let notes = model.snapshot(at: 0).notes
        #expect(notes.count == ProgressModel.noteLimit)
        #expect(notes.first?.count == ProgressModel.noteLength)
        #expect(notes.last == "and 13 more")
    }

    @Test func whatAWorkerWaitsForIsShownWhileItIsHere() {
        var model = model()
        model.workerReported(
            a, shard: first, shardRowsDone: 1, rssBytes: 1, peakRSSBytes: 1, programRSSBytes: 58, waitsFor: "a lock",
            now: .seconds(101))
        #expect(model.worker(a)?.waitsFor == "a lock")
        #expect(model.worker(a)?.programRSSBytes == 58)
        model.reported(a, first, 2, at: 2)
        #expect(model.worker(a)?.waitsFor == "")
        #expect(model.worker(a)?.programRSSBytes == 0)
    }
}
