import Batches
import Dispatching
import Job
import Postgres

extension RunLeader {
    /// Makes the leader of a run that was just opened.
    init(
        _ opened: RunOpening.Opened, _ configuration: CoordinatorService.Configuration, hasLocalWorkers: Bool,
        seed: UInt64
    ) {
        let dispatch = DispatchStateMachine.Configuration(
            leaseDuration: configuration.leaseDuration,
            stallAfter: .seconds(PostgresSession.statementTimeoutSeconds * 2) + opened.job.computeTimeout,
            retry: opened.job.retry)
        let configuration = Configuration(
            job: opened.job.name, rowsEstimated: opened.rowsEstimated, rowsDone: opened.rowsDone,
            batchRows: opened.batchRows, tableOID: opened.target.oid, expectedHotShare: opened.expectedHotShare,
            hasLocalWorkers: hasLocalWorkers,
            inFlight: opened.job.inFlight.map { .fixed($0) } ?? opened.inFlight.map { .automatic(from: $0) },
            rowsOfBatch: opened.rowsOfBatch, pace: opened.pace, dispatch: dispatch)
        self.init(opened.ownership, configuration, seed: seed)
    }
}
