import Sharding
import Testing

@testable import Report

private let (a, b) = (WorkerID("a"), WorkerID("b"))
private let (first, second) = (ShardID(1), ShardID(2))

private func model(estimated: Int64 = 1000, done: Int64 = 0) -> ReportModel {
    var model = ReportModel(
        run: RunID(3), job: "job", rowsEstimated: estimated, rowsDone: done, startsWorkers: true, now: .seconds(100))
    model.workerJoined(a, ProcessName(host: "beta", pid: 7), now: .seconds(100))
    model.workerJoined(b, ProcessName(host: "alpha", pid: 9), now: .seconds(100))
    return model
}

extension ReportModel {
    /// Reports rows at `at` seconds. The run began at 100 s.
    fileprivate mutating func reported(_ id: WorkerID, _ shard: ShardID?, _ rows: Int64, at seconds: Double = 0) {
        workerReported(
            id, WorkerSample(held: shard.map { held($0, rows) }, rssBytes: 10, peakRSSBytes: 20),
            now: .seconds(100 + seconds))
    }

    fileprivate func report(at seconds: Double) -> RunReport { report(now: .seconds(100 + seconds)) }
    fileprivate func worker(_ id: WorkerID) -> WorkerProgress? { everyWorker.first { $0.record.id == id } }
}

private func held(_ shard: ShardID, _ rows: Int64) -> HeldLease {
    HeldLease(lease: Lease(shard: shard, epoch: Epoch(1)), sequence: 1, rowsDone: rows)
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
        #expect(model.report(at: 1).rowsDone == run, "\(name)")
        #expect(model.worker(a)?.record.rowsDone == ofA, "\(name)")
        #expect(model.worker(b)?.record.rowsDone == ofB, "\(name)")
    }

    @Test func rowsOfEarlierCoordinatorsCountOnceAndAreNoProgress() {
        var model = model(done: 300)
        #expect(model.report(at: 1).rowsDone == 300)
        model.shardRowsKnown(first, rowsDone: 200)
        model.shardRowsKnown(second, rowsDone: 100)
        #expect(model.report(at: 1).rowsDone == 300)
        #expect(model.report(at: 1).rowsPerSecond == 0)
        model.reported(a, second, 150, at: 1)
        model.reported(b, ShardID(3), 10, at: 1)
        #expect(model.report(at: 2).rowsDone == 360)
        #expect(model.report(at: 2).rowsPerSecond == 30)
        #expect(model.worker(a)?.record.rowsDone == 50)
    }

    @Test func shardThatEndedBetweenReportsIsCreditedToTheNamedWorker() {
        var model = model()
        model.shardRowsKnown(first, rowsDone: 40, by: b)
        #expect(model.worker(b)?.record.rowsDone == 40)
    }

    /// What was done before says nothing of the pace that holds now.
    @Test func rateCountsAnewWhenThePaceChanges() {
        var model = model()
        model.reported(a, first, 900, at: 5)
        model.paced(Pace(rowsPerSecond: 10), now: .seconds(105))
        model.reported(a, first, 920, at: 7)
        #expect(model.report(at: 7).rowsPerSecond == 10)
        #expect(model.report(at: 7).workers.map(\.record.rowsPerSecond).max() == 10)
        #expect(model.report(at: 7).rowsDone == 920)
    }

    @Test func absurdClaimsNeverTrap() {
        var model = model(estimated: .max, done: .max)
        for shard in 0..<5000 { model.reported(a, ShardID(Int32(shard)), .max, at: Double(shard) / 1000) }
        model.workerReported(a, WorkerSample(rssBytes: .min, peakRSSBytes: .max), now: .zero)
        let report = model.report(at: 5)
        #expect((0...99).contains(report.percent))
        #expect(report.workers.count == 2)
    }

    /// The same reports give the same sum in any order, also when some repeat.
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
            let now = model.report(at: 0).rowsDone
            #expect(now >= before)
            before = now
        }
        #expect(before == highest)
        #expect(model.everyWorker.map(\.record.rowsDone).reduce(0, +) == highest)
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
        let report = model.report(at: end)
        let tolerance = end < 1 ? 0.2 : 0.1
        #expect(abs(report.rowsPerSecond - 1500) <= 1500 * tolerance)
        #expect(abs(report.workers[1].record.rowsPerSecond - 1000) <= 1000 * tolerance)
        #expect(abs(report.workers[0].record.rowsPerSecond - 500) <= 500 * tolerance)
    }

    /// Reports come once a second and the rate is read between them. It neither falls between reports nor jumps.
    @Test func reportsOnceASecondGiveACalmRate() {
        var model = model()
        for second in 1...40 {
            model.reported(a, first, Int64(second) * 1000, at: Double(second))
            for part in 0..<10 where second >= 12 {
                let rate = model.report(at: Double(second) + Double(part) / 10).rowsPerSecond
                #expect(abs(rate - 1000) <= 100)
            }
        }
    }

    @Test func stalledRunIsAtZeroWithinTheWindow() {
        var model = model()
        for second in 1...20 { model.reported(a, first, Int64(second) * 10, at: Double(second)) }
        #expect(model.report(at: 29).rowsPerSecond > 0)
        #expect(model.report(at: 30).rowsPerSecond == 0)
        #expect(model.report(at: 30).timeLeft == nil)
        #expect(model.report(at: 30).workers[1].record.rowsPerSecond == 0)
        #expect(model.report(at: 1_000_000).rowsPerSecond == 0)
        model.reported(a, first, 295, at: 1_000_000)
        #expect((9...10).contains(model.report(at: 1_000_000).rowsPerSecond))
    }

    @Test func oneBurstWeighsItsRowsOverTheWindow() {
        var model = model(estimated: 1_000_000)
        model.reported(a, first, 95_000, at: 60)
        #expect((9500...10_000).contains(model.report(at: 60.1).rowsPerSecond))
    }

    @Test func rowsRightAfterTheStartAreNoHugeRate() {
        var model = model()
        model.reported(a, first, 100, at: 0.001)
        #expect(model.report(at: 0.001).rowsPerSecond == 200)
    }

    @Test func failoverThatLowersRowsDoesNotMakeTheRateNegative() {
        var model = model()
        model.reported(a, first, 500, at: 1)
        model.shardRowsKnown(first, rowsDone: 100)
        #expect(model.report(at: 2).rowsPerSecond == 250)
    }

    @Test func aClockThatStepsBackCountsAsStandingStill() {
        var model = model()
        model.reported(a, first, 100, at: 5)
        model.reported(a, first, 200, at: 3)
        #expect(model.report(at: 0) == model.report(at: 5))
        #expect(model.report(at: 0).rowsPerSecond == 40)
    }
}

@Suite struct ETA {
    private static func counts(_ pending: Int, _ running: Int, _ done: Int, _ failed: Int) -> ShardCounts {
        ShardCounts(pending: pending, running: running, done: done, failed: failed)
    }

    /// The run does 100 rows/s for 10 s, and so 1000 rows. Each case has an estimate and counts of shards.
    @Test(
        arguments: [
            ("by rows", 3000, counts(6, 2, 4, 0), 20.0, 33),
            ("by rows, shards not counted", 2000, counts(0, 0, 0, 0), 10.0, 50),
            ("estimate reached: by shards", 1000, counts(3, 2, 4, 0), 8.0, 99),
            ("estimate passed: by shards", 10, counts(3, 2, 4, 0), 8.0, 99),
            ("no estimate: by shards", -1, counts(3, 2, 4, 0), 8.0, 44),
            ("estimate passed, no shard done", 10, counts(3, 2, 0, 0), nil, 99),
            ("estimate passed, shards not counted", 10, counts(0, 0, 0, 0), nil, 99),
            ("estimate too high", 1_000_000, counts(0, 0, 4, 0), 0.0, 100),
            ("only failed shards left", 1100, counts(0, 0, 4, 1), nil, 90),
            ("estimate met, failed left", 1000, counts(0, 0, 4, 1), nil, 99),
            ("beyond reason", 1 << 44, counts(6, 2, 4, 0), nil, 0),
        ] as [(String, Int64, ShardCounts, Double?, Int)])
    func table(
        _ name: String, estimated: Int64, shards: ShardCounts, eta: Double?,
        percent: Int
    ) throws {
        var model = model(estimated: estimated)
        for second in 0..<100 { model.reported(a, first, Int64(second + 1) * 10, at: Double(second) / 10) }
        model.shardsCounted(shards)
        let report = model.report(at: 9.99)
        #expect(report.percent == percent, "\(name)")
        guard let eta else {
            #expect(report.timeLeft == nil, "\(name)")
            return
        }
        let seconds = Double(try #require(report.timeLeft, "\(name)").components.seconds)
        #expect(abs(seconds - eta) <= 1, "\(name)")
    }

    @Test func unknownBeforeTheFirstRow() {
        #expect(model().report(at: 5).timeLeft == nil)
    }

    @Test func emptyTableIsDoneWithItsShard() {
        var model = model(estimated: 0)
        #expect(model.report(at: 0).percent == 0)
        model.shardsCounted(ShardCounts(done: 1))
        #expect(model.report(at: 0).percent == 100)
        #expect(model.report(at: 0).timeLeft == .zero)
    }
}

@Suite struct Workers {
    @Test func areSortedByHostAndPidAndLeaveTheSnapshotButNotThePeaks() {
        var model = model()
        model.workerJoined(WorkerID("c"), ProcessName(host: "beta", pid: 3), now: .seconds(100))
        model.reported(a, first, 5, at: 2)
        #expect(model.report(at: 3).workers.map(\.record.pid) == [9, 3, 7])
        #expect(model.report(at: 3).workers.map(\.silentFor) == [.seconds(3), .seconds(3), .seconds(1)])
        #expect(model.report(at: 3).workers[2].record.shard == first)
        model.workerLeft(a, now: .seconds(103))
        model.workerLeft(a, now: .seconds(103))
        #expect(model.report(at: 3).workers.map(\.record.pid) == [9, 3])
        #expect(model.report(at: 3).rowsDone == 5)
        #expect(model.everyWorker.map(\.record.peakRSSBytes) == [0, 0, 20])
    }

    @Test func peakNeverFallsAndSurvivesARejoin() {
        var model = model()
        for (rss, peak) in [(10, 50), (60, 55), (5, 5), (-1, -1)] as [(Int64, Int64)] {
            model.workerReported(a, WorkerSample(rssBytes: rss, peakRSSBytes: peak), now: .seconds(101))
        }
        #expect(model.worker(a)?.record.rssBytes == 0)
        model.workerLeft(a, now: .seconds(102))
        model.workerJoined(a, ProcessName(host: "moved", pid: 8), now: .seconds(103))
        #expect(model.worker(a)?.record.peakRSSBytes == 60)
        #expect(model.report(at: 3).workers.map(\.record.host) == ["alpha", "moved"])
    }

    @Test func theDepartedAreBoundedAndTheHighestPeaksStay() {
        var model = model()
        let count = ReportModel.departedLimit + 50
        for number in 1...count {
            let id = WorkerID("w\(number)")
            model.workerJoined(id, ProcessName(host: "h", pid: Int32(number)), now: .seconds(100))
            model.workerReported(
                id, WorkerSample(rssBytes: 1, peakRSSBytes: Int64(number)), now: .seconds(100))
            model.workerLeft(id, now: .seconds(100))
        }
        let peaks = model.everyWorker.map(\.record).filter { $0.host == "h" }.map(\.pid)
        #expect(peaks == Array(51...Int32(count)))
        #expect(model.report(at: 0).workers.count == 2)
    }

    @Test func whatAWorkerWaitsForIsShownWhileItIsHere() {
        var model = model()
        let wait = WorkerWait(words: "waits for pid 7", cause: FailureCause(kind: .held, key: Key("5"), holder: 7))
        model.workerReported(
            a, WorkerSample(held: held(first, 1), programRSSBytes: 58, wait: wait), now: .seconds(101))
        #expect(model.worker(a)?.wait == wait)
        #expect(model.worker(a)?.programRSSBytes == 58)
        model.reported(a, first, 2, at: 2)
        #expect(model.worker(a)?.wait == nil)
        #expect(model.worker(a)?.programRSSBytes == 0)
    }
}
