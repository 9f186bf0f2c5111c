import Dispatching
import LedgerQueueing
import Logging
import Report
import Sharding
import Wire

// The messages of workers, and the ends of workers.
extension RunLeader {
    mutating func heard(_ event: LinkEvent, now: Duration) -> [LeaderAction] {
        self.event(now) { $0.take(event) }
    }

    /// A local worker's process has ended.
    ///
    /// - Parameters:
    ///   - worker: the worker of that process, if it had joined.
    ///   - reason: how it ended, in words.
    ///   - failures: the number of processes that have ended one after another without joining.
    mutating func processEnded(
        _ pid: Int32, worker: WorkerID?, hadJoined: Bool, reason: String, failures: Int, now: Duration
    ) -> [LeaderAction] {
        event(now) { leader in
            guard leader.ending == .ahead else { return }
            if hadJoined, leader.isDispatching {
                leader.emit(.announce(.workerEnded(pid: pid, reason: reason)))
            }
            if !hadJoined, leader.localFault.isEmpty { leader.localFault = reason }
            leader.reports.localWorkersEnded(
                times: failures, limit: LocalWorkers.failureLimit, reason: leader.localFault)
            guard let worker else { return }
            leader.forget(worker)
            let end = AttemptEnd(.failed, error: "the worker's process ended: \(reason)")
            leader.react { $0.workerLeft(worker, as: end, now: $1) }
        }
    }

    /// The missing processes were spawned; with a fault, only some of them or none.
    mutating func workersSpawned(fault: String?, now: Duration) -> [LeaderAction] {
        event(now) { leader in
            if let fault, fault != leader.spawnFault {
                leader.emit(.log(.error, fault))
                if leader.localFault.isEmpty { leader.localFault = fault }
            }
            leader.spawnFault = fault
            leader.reports.localWorkersSpawned(fault: fault)
        }
    }

    /// Local processes end one after another without joining, or cannot be started.
    mutating func workersCannotStart(now: Duration) -> [LeaderAction] {
        event(now) { leader in
            guard leader.ending == .ahead else { return }
            leader.end(.stopped(.workersCannotStart(reason: leader.localFault)))
        }
    }

    /// What keeps workers of other hosts away, as it is now.
    mutating func hostsLookedAt(_ troubles: [HostTrouble]) -> [LeaderAction] {
        reports.hostsLookedAt(troubles)
        return []
    }

    private mutating func take(_ event: LinkEvent) {
        let worker = event.worker
        switch event.kind {
        case .refused(let reason): noteFault(reason, of: event)
        case .asked(let process, let problem):
            reports.workerAsked(worker, process, problem: problem)
            if let problem { noteFault(problem, of: event) }
        case .joined(let process, let credit): join(event, process, credit: credit)
        case .reported(let heartbeat):
            report(event, heartbeat)
            react { $0.workerReported(worker, held: heartbeat.held, excused: heartbeat.isExcused, now: $1) }
        case .shardDone(let lease): react { $0.shardReportedDone(lease, worker: worker, now: $1) }
        case .shardFailed(let failure): shardFailed(failure, event)
        case .leaseReleased(let lease):
            react { $0.attemptReported(lease, worker: worker, AttemptEnd(.released), now: $1) }
        case .leaseLost(let lease): react { $0.leaseReportedLost(lease, worker: worker, now: $1) }
        // One that has no lease writes nothing, and would only hold up the others.
        case .turnWanted(let rows): if isLeasing(worker) { turn { $0.wanted(worker, rows: rows, now: $1) } }
        case .turnEnded(let rows): if event.process != nil { turn { $0.ended(worker, rows: rows, now: $1) } }
        case .left(let reason):
            if !reason.isEmpty {
                noteFault(reason, of: event)
                emit(.log(.warning, "a worker left: \(reason)"))
            }
            forget(worker)
            react { $0.workerLeft(worker, now: $1) }
        case .revoked(let key): cutOff(event, key)
        case .forgotten: reports.workerLeft(worker, now: now)
        }
    }

    /// Notes why a local worker cannot start. The fault of a foreign worker does not explain that.
    private mutating func noteFault(_ reason: String, of event: LinkEvent) {
        if event.isLocal { localFault = reason }
    }

    private mutating func join(_ event: LinkEvent, _ process: ProcessName, credit: Int) {
        let worker = event.worker
        reports.workerJoined(worker, process, now: now)
        if event.isLocal {
            // What was wrong is over. It does not explain a later fault.
            localFault = ""
            reports.localWorkersEnded(times: 0, limit: LocalWorkers.failureLimit, reason: "")
        }
        emit(.log(.info, "worker \(process.host) pid \(process.pid) joined"))
        react { $0.workerJoined(worker, credit: credit, origin: event.origin, now: $1) }
    }

    private mutating func report(_ event: LinkEvent, _ heartbeat: Heartbeat) {
        let held = heartbeat.held.first
        let sample = WorkerSample(
            held: held, rssBytes: heartbeat.rssBytes, peakRSSBytes: heartbeat.peakRSSBytes,
            programRSSBytes: heartbeat.programRSSBytes, wait: heartbeat.wait, step: heartbeat.step,
            stepFor: .seconds(heartbeat.stepSeconds))
        reports.workerReported(event.worker, sample, now: now)
        noteStep(of: event.worker, heartbeat.step)
        guard let held else { return }
        batchRowsReported(held.batchRows)
    }

    /// A timeout has made a worker's batches smaller. The other workers and the next coordinator then need not find
    /// that out themselves.
    private mutating func batchRowsReported(_ rows: Int) {
        guard rows > 0, batchRows == 0 || rows < batchRows else { return }
        batchRows = rows
        emit(.announce(.batchesShrunk(rows: rows)))
        request(.batchRows(rows))
    }

    /// The worker's leases end now: its shards go to others, and the fence refuses what it may still write.
    private mutating func cutOff(_ event: LinkEvent, _ key: String) {
        emit(.announce(.workerRevoked(event.process, key: key)))
        forget(event.worker)
        let end = AttemptEnd(.released, error: "the worker's key \(key) was revoked")
        react { $0.workerLeft(event.worker, as: end, now: $1) }
    }

    private mutating func shardFailed(_ failure: ShardFailure, _ event: LinkEvent) {
        var scope = failure.scope
        // One alone among others that says so is at fault itself, as far as anybody knows.
        if scope == .run, !isBelieved(event.worker, toStopAt: failure.lease) { scope = .worker }
        let end = AttemptEnd(failedBy: scope, error: failure.error, cause: failure.cause)
        react { $0.attemptReported(failure.lease, worker: event.worker, end, now: $1) }
        switch scope {
        case .attempt, .shard: break
        case .worker:
            emit(.announce(.workerUnfit(event.process, error: failure.error, cause: failure.cause)))
        case .run:
            reports.windDownBegan(.stopping(reason: failure.error))
            react { $0.stopRequested(reason: failure.error, now: $1) }
        }
    }

    mutating func forget(_ worker: WorkerID) {
        turn { $0.left(worker, now: $1) }
        reports.workerLeft(worker, now: now)
        // At the end one statement notes the departure of all workers.
        if ending == .ahead { request(.left(worker)) }
    }
}
