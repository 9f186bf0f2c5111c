import Dispatching
import LedgerQueueing
import Logging
import Progress
import Sharding
import Wire

// What workers say, and what becomes of them.
extension RunLeader {
    mutating func heard(_ event: LinkEvent, now: Duration) -> [LeaderAction] {
        self.event(now) { $0.take(event) }
    }

    /// A process of this one has ended.
    ///
    /// - Parameters:
    ///   - worker: the worker that it was, where it had joined.
    ///   - reason: how it ended, in words.
    mutating func processEnded(_ pid: Int32, worker: WorkerID?, hadJoined: Bool, reason: String, now: Duration)
        -> [LeaderAction]
    {
        event(now) { leader in
            guard leader.ending == .ahead else { return }
            if hadJoined, leader.isDispatching {
                leader.emit(.announce(.workerGone("worker pid \(pid) ended (\(reason)): starting another")))
            }
            if !hadJoined, leader.localFault.isEmpty { leader.localFault = reason }
            guard let worker else { return }
            leader.forget(worker)
            let end = AttemptEnd(.failed, error: "the worker's process ended: \(reason)")
            leader.react { $0.workerLeft(worker, as: end, now: $1) }
        }
    }

    /// Processes of this one end one after another before they join.
    mutating func workersCannotStart(now: Duration) -> [LeaderAction] {
        event(now) { leader in
            guard leader.ending == .ahead else { return }
            leader.end(.stopped(.workersCannotStart(reason: leader.localFault)))
        }
    }

    private mutating func take(_ event: LinkEvent) {
        let worker = event.worker
        switch event.kind {
        case .refused(let reason): noteFault(reason, of: event)
        case .asked(let process, let problem):
            guard let problem else { return }
            progress.noted(
                "worker \(process.host) pid \(process.pid) cannot begin: \(problem)", from: .beginning(worker))
            noteFault(problem, of: event)
        case .joined(let process, let credit): join(event, process, credit: credit)
        case .reported(let heartbeat):
            report(event, heartbeat)
            react { $0.workerReported(worker, held: heartbeat.held, excused: heartbeat.isExcused, now: $1) }
        case .shardDone(let lease): react { $0.shardReportedDone(lease, worker: worker, now: $1) }
        case .shardFailed(let failure): shardFailed(failure, event)
        case .leaseReleased(let lease):
            react { $0.attemptReported(lease, worker: worker, AttemptEnd(.released), now: $1) }
        case .leaseLost(let lease): react { $0.leaseReportedLost(lease, worker: worker, now: $1) }
        case .left(let reason):
            if !reason.isEmpty {
                noteFault(reason, of: event)
                emit(.log(.warning, "a worker left: \(reason)"))
            }
            forget(worker)
            react { $0.workerLeft(worker, now: $1) }
        case .forgotten: progress.noted(nil, from: .beginning(worker))
        }
    }

    /// What keeps workers of others away does not explain why those of this process cannot start.
    private mutating func noteFault(_ reason: String, of event: LinkEvent) {
        if event.isLocal { localFault = reason }
    }

    private mutating func join(_ event: LinkEvent, _ process: PeerDirectory.Process, credit: Int) {
        let worker = event.worker
        progress.noted(nil, from: .beginning(worker))
        progress.workerJoined(worker, host: process.host, pid: process.pid, local: event.isLocal, now: now)
        progress.noted(nil, from: .workers)
        emit(.log(.info, "\(process) joined"))
        react { $0.workerJoined(worker, credit: credit, now: $1) }
    }

    private mutating func report(_ event: LinkEvent, _ heartbeat: Heartbeat) {
        let held = heartbeat.held.first
        progress.workerReported(
            event.worker, shard: held?.lease.shard, shardRowsDone: held?.rowsDone ?? 0,
            rssBytes: heartbeat.rssBytes, peakRSSBytes: heartbeat.peakRSSBytes,
            programRSSBytes: heartbeat.programRSSBytes, waitsFor: heartbeat.wait?.words ?? "", now: now)
        guard let held else { return stall.left(event.worker) }
        stall.heard(
            from: event.worker, sequence: held.sequence, rowsDone: held.rowsDone,
            words:
                "\(event.name) is at shard \(held.lease.shard), \(heartbeat.step) for \(heartbeat.stepSeconds) s",
            now: now)
        batchRowsReported(held.batchRows)
    }

    /// A timeout has made a worker's batches smaller: the others need not find out by themselves, nor the next coordinator.
    private mutating func batchRowsReported(_ rows: Int) {
        guard rows > 0, batchRows == 0 || rows < batchRows else { return }
        batchRows = rows
        emit(.announce(.batchesShrunk(rows)))
        request(.batchRows(rows))
    }

    private mutating func shardFailed(_ failure: ShardFailure, _ event: LinkEvent) {
        let end = AttemptEnd(failedBy: failure.scope, error: failure.error, cause: failure.cause)
        react { $0.attemptReported(failure.lease, worker: event.worker, end, now: $1) }
        switch failure.scope {
        case .attempt, .shard: break
        case .worker: emit(.announce(.workerUnfit(event.name, failure.error)))
        case .run: react { $0.stopRequested(reason: failure.error, now: $1) }
        }
    }

    mutating func forget(_ worker: WorkerID) {
        stall.left(worker)
        progress.noted(nil, from: .worker(worker))
        progress.noted(nil, from: .beginning(worker))
        progress.workerLeft(worker, now: now)
        // At the end, one statement is written for all of them.
        if ending == .ahead { request(.left(worker)) }
    }
}
