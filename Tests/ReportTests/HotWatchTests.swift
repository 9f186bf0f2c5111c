import Sharding
import Testing

@testable import Report

@Suite struct HotWatchTests {
    private func measure(updates: Int64, hot: Int64, holder: String? = nil) -> StorageMeasure {
        let begin = StorageFigures(heapBytes: 8192, indexBytes: 0, updates: 0, hotUpdates: 0, walBytes: 0, rowsDone: 0)
        var last = begin
        (last.updates, last.hotUpdates) = (updates, hot)
        return StorageMeasure(change: StorageChange(begin: begin, last: last), holder: holder)
    }

    private func model() -> ReportModel {
        ReportModel(run: RunID(1), job: "j", rowsEstimated: 0, rowsDone: 0, startsWorkers: true, now: .zero)
    }

    /// The conditions about few HOT updates only.
    private func few(_ model: ReportModel, at seconds: Int) -> [RunCondition] {
        model.report(now: .seconds(seconds)).conditions.filter { condition in
            if case .fewHotUpdates = condition { true } else { false }
        }
    }

    @Test func fewHotUpdatesAreToldWithWhoKeepsOldVersionsAndEndWhenThereAreMore() {
        var model = model()
        model.storageMeasured(measure(updates: 0, hot: 0), expectedHotShare: 0.88, now: .seconds(1))
        model.storageMeasured(
            measure(updates: 50_000, hot: 500, holder: "pid 7"), expectedHotShare: 0.88, now: .seconds(29))
        #expect(few(model, at: 29) == [], "too early to tell")
        model.storageMeasured(
            measure(updates: 60_000, hot: 600, holder: "pid 7"), expectedHotShare: 0.88, now: .seconds(31))
        #expect(
            few(model, at: 31)
                == [.fewHotUpdates(share: 0.01, expected: 0.88, holder: "pid 7")])
        model.storageMeasured(measure(updates: 160_000, hot: 90_000), expectedHotShare: 0.88, now: .seconds(61))
        #expect(few(model, at: 61) == [], "the share of the last 30 s counts")
    }

    @Test(arguments: [(0.0, Int64(60_000)), (0.88, 900)])
    func nothingIsToldWhereNoneIsExpectedOrTooLittleHappens(expected: Double, updates: Int64) {
        var model = model()
        model.storageMeasured(measure(updates: 0, hot: 0), expectedHotShare: expected, now: .seconds(1))
        model.storageMeasured(measure(updates: updates, hot: 0), expectedHotShare: expected, now: .seconds(40))
        #expect(few(model, at: 40) == [])
    }

    /// Somebody may reset the server's statistics.
    @Test func countersThatGoBackBeginAnew() {
        var model = model()
        model.storageMeasured(measure(updates: 90_000, hot: 80_000), expectedHotShare: 0.88, now: .seconds(1))
        model.storageMeasured(measure(updates: 10, hot: 0), expectedHotShare: 0.88, now: .seconds(40))
        model.storageMeasured(measure(updates: 5_010, hot: 4_500), expectedHotShare: 0.88, now: .seconds(75))
        #expect(few(model, at: 75) == [])
    }

    @Test func whatWasToldEndsWhenTheCountersGoBack() {
        var model = model()
        model.storageMeasured(measure(updates: 0, hot: 0), expectedHotShare: 0.88, now: .seconds(1))
        model.storageMeasured(measure(updates: 90_000, hot: 0), expectedHotShare: 0.88, now: .seconds(31))
        #expect(few(model, at: 31).count == 1)
        model.storageMeasured(measure(updates: 10, hot: 0), expectedHotShare: 0.88, now: .seconds(41))
        #expect(few(model, at: 41) == [])
    }
}
