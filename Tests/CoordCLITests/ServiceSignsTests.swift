import Report
import Sharding
import Testing
import Worker

@testable import CoordCLI

/// What a service manager is told, and when its watchdog is fed.
@Suite struct ServiceSignsTests {
    private var signs = ServiceSigns(watchdog: .seconds(40))

    private static func report(_ conditions: [RunCondition] = []) -> RunReport {
        RunReport(run: RunID(2), job: "job", conditions: conditions)
    }

    private mutating func told(_ conditions: [RunCondition] = [], at seconds: Int) -> [ServiceSigns.Sign] {
        signs.happened(.progressed(Self.report(conditions)), now: .seconds(seconds))
    }

    @Test mutating func firstReportSaysThatTheRunIsLedAndLaterOnesHowItGoes() {
        let line = ReportView.line(Self.report())
        #expect(signs.happened(.listening("x"), now: .zero) == [])
        #expect(told(at: 0) == [.ready, .status(line), .feed])
        #expect(told(at: 1) == [])
        #expect(told(at: 5) == [.status(line)])
        #expect(told(at: 10) == [.status(line), .feed])
    }

    @Test mutating func watchdogIsNotFedWhileNobodyKnowsWhyNothingGoesOn() {
        let unexplained = RunCondition.stalled(Stall(since: .seconds(90)))
        let silent = RunCondition.workerSilent(ProcessName(host: "a", pid: 1), since: .zero)
        _ = told(at: 0)
        #expect(!told([unexplained], at: 100).contains(.feed))
        #expect(!told([unexplained, silent], at: 200).contains(.feed))
        // Each of these says what it waits for.
        #expect(told([unexplained, .databaseAway(reason: "gone", since: .zero)], at: 300).contains(.feed))
        #expect(told([unexplained, .noWorkers], at: 400).contains(.feed))
        let holder = Stall.Holder(process: nil, shard: ShardID(1), step: "computing", stepFor: .seconds(90))
        #expect(told([.stalled(Stall(since: .seconds(90), holders: [holder]))], at: 500).contains(.feed))
    }

    @Test mutating func workerIsReadyBeforeThereIsACoordinatorAndFedUnlessItsStepIsOverdue() {
        let seeking = signs.stands(.seeking("tcp://a:1"), now: .zero)
        #expect(seeking == [.ready, .status("looks for a coordinator at tcp://a:1"), .feed])
        let preparing = signs.stands(.preparing(RunID(2), problem: "no route"), now: .seconds(20))
        #expect(preparing == [.status("gets ready for run 2: no route"), .feed])
        func working(isOverdue: Bool) -> WorkerStanding {
            .working(RunID(2), step: "writing", seconds: 7, isOverdue: isOverdue)
        }
        let text = ServiceSigns.Sign.status("works for run 2, writing for 7 s")
        #expect(signs.stands(working(isOverdue: false), now: .seconds(40)) == [text, .feed])
        #expect(signs.stands(working(isOverdue: true), now: .seconds(60)) == [text])
    }

    @Test mutating func endIsToldOnce() {
        #expect(signs.stopping() == [.stopping])
        #expect(signs.stopping() == [])
    }

    @Test func withoutAWatchdogNothingIsFed() {
        var signs = ServiceSigns(watchdog: nil)
        #expect(!signs.stands(.seeking("x"), now: .zero).contains(.feed))
    }
}
