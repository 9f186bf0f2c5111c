import Report
import Worker

/// What a service manager is told of a run or a worker, and when. A value: it knows neither socket nor clock.
struct ServiceSigns: Equatable {
    enum Sign: Equatable {
        case ready
        case status(String)
        /// A sign of life, for the watchdog.
        case feed
        case stopping
    }

    static let statusInterval = Duration.seconds(5)
    /// As often within the watchdog's time it is fed.
    static let feedings = 4

    /// The watchdog's time; nil without one.
    let watchdog: Duration?
    private var isReady = false
    private var isStopping = false
    private var saidAt: Duration?
    private var fedAt: Duration?

    init(watchdog: Duration?) { self.watchdog = watchdog }

    /// A report has come: the loop that makes it lives. The watchdog is fed if that report says that the run goes on, or
    /// what it waits for.
    mutating func happened(_ event: RunEvent, now: Duration) -> [Sign] {
        guard case .progressed(let report) = event else { return [] }
        return told(ReportView.line(report), isWell: report.isUnderstood, now: now)
    }

    /// A worker says where it stands.
    mutating func stands(_ standing: WorkerStanding, now: Duration) -> [Sign] {
        switch standing {
        case .seeking(let places): told("looks for a coordinator at \(places)", isWell: true, now: now)
        case .preparing(let run, let problem):
            told("gets ready for run \(run)\(problem.map { ": \($0)" } ?? "")", isWell: true, now: now)
        case .working(let run, let step, let seconds, let isOverdue):
            told("works for run \(run), \(step) for \(seconds) s", isWell: !isOverdue, now: now)
        }
    }

    mutating func stopping() -> [Sign] {
        guard !isStopping else { return [] }
        isStopping = true
        return [.stopping]
    }

    private mutating func told(_ text: String, isWell: Bool, now: Duration) -> [Sign] {
        var signs: [Sign] = []
        if !isReady { signs.append(.ready) }
        isReady = true
        if isDue(saidAt, after: Self.statusInterval, now: now) {
            saidAt = now
            signs.append(.status(text))
        }
        if let watchdog, isWell, isDue(fedAt, after: watchdog / Self.feedings, now: now) {
            fedAt = now
            signs.append(.feed)
        }
        return signs
    }

    private func isDue(_ moment: Duration?, after interval: Duration, now: Duration) -> Bool {
        moment.map { now - $0 >= interval } ?? true
    }
}
