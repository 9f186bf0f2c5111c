import Metrics
import Report
import Sharding

/// A run's figures for a metrics backend in this process.
struct RunMetrics {
    private let shardsDone: Counter
    private let attemptsEnded: Counter
    private let rowsDone: Gauge

    init(run: RunID) {
        let dimensions = [("run", run.description)]
        shardsDone = Counter(label: "coord_shards_done", dimensions: dimensions)
        attemptsEnded = Counter(label: "coord_attempts_ended_early", dimensions: dimensions)
        rowsDone = Gauge(label: "coord_rows_done", dimensions: dimensions)
    }

    func happened(_ event: RunEvent) {
        switch event {
        case .progressed(let report): rowsDone.record(report.rowsDone)
        case .attemptEnded: attemptsEnded.increment()
        case .listening, .workerDismissed, .workerEnded, .hostStarted, .hostLost, .workerUnfit, .workerRevoked,
            .strangerRefused, .batchesShrunk, .pauseAsked, .paceChanged, .databaseLost, .databaseReadOnly:
            break
        }
    }

    func answered(_ answer: LedgerAnswer) {
        switch answer {
        case .shardRead(let record), .attemptVoid(_, _, let record): if record.state == .done { shardsDone.increment() }
        case .done, .noted, .refused, .renewed, .leaseRecorded, .leaseRefused, .attemptRecorded, .shardsLoaded,
            .concluded,
            .released:
            break
        }
    }
}
