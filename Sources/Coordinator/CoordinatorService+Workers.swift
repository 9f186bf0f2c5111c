import Dispatching
import Host
import Job
import Ledger
import LedgerQueueing
import Logging
import Progress
import Sharding
import Wire
import ZeroMQ

// What workers say, and what is said to them.
extension CoordinatorService {
    func receive() {
        do {
            while let frames = try socket?.receive() {
                guard frames.count == 2 else { continue }
                do {
                    let (worker, message) = try WorkerMessage.decode(frames[1])
                    take(message, of: worker, from: frames[0])
                } catch {
                    log.warning("a message was dropped: \(error)")
                }
            }
        } catch {
            log.error("cannot receive: \(error)")
        }
    }

    func take(_ message: WorkerMessage, of worker: WorkerID, from address: [UInt8]) {
        switch message {
        case .hello(let hello): greet(worker, hello, at: address)
        case .heartbeat(let heartbeat):
            guard peers.heard(worker, at: address) else { return send(.rejoin, to: address) }
            report(worker, heartbeat)
            send(.alive, to: address)
            react { $0.workerReported(worker, held: heartbeat.held, excused: heartbeat.isExcused, now: $1) }
        case .shardDone(let lease): react { $0.shardReportedDone(lease, worker: worker, now: $1) }
        case .shardFailed(let failure): shardFailed(failure, worker)
        case .leaseReleased(let lease):
            react { $0.attemptReported(lease, worker: worker, AttemptEnd(.released), now: $1) }
        case .leaseLost(let lease): react { $0.leaseReportedLost(lease, worker: worker, now: $1) }
        case .goodbye(let reason):
            if !reason.isEmpty {
                lastGoodbye = reason
                log.warning("a worker left: \(reason)")
            }
            forget(worker)
            react { $0.workerLeft(worker, now: $1) }
        }
    }

    private func shardFailed(_ failure: ShardFailure, _ worker: WorkerID) {
        let end = AttemptEnd(failedBy: failure.scope, error: failure.error)
        react { $0.attemptReported(failure.lease, worker: worker, end, now: $1) }
        switch failure.scope {
        case .attempt, .shard: break
        case .worker: notify(.workerUnfit(peers.name(of: worker), failure.error))
        case .run: react { $0.stopRequested(reason: failure.error, now: $1) }
        }
    }

    func greet(_ worker: WorkerID, _ hello: Hello, at address: [UInt8]) {
        guard hello.version == protocolVersion else {
            let refusal = Refusal(
                reason: "it speaks protocol \(hello.version), the coordinator \(protocolVersion)",
                mend: "install the same version of coord on both hosts")
            return send(.refused(refusal), to: address)
        }
        if let name = opened.job.transform, !hello.transforms.contains(name) {
            let refusal = Refusal(
                reason: "the job needs the transform \(name), which this worker does not have",
                mend: "it has: \(hello.transforms.joined(separator: ", "))")
            lastGoodbye = refusal.reason
            return send(.refused(refusal), to: address)
        }
        if hello.isReady, hello.run != opened.ownership.run {
            let refusal = Refusal(
                reason:
                    "it worked for run \(hello.run?.description ?? "0"), and the coordinator leads run \(runNumber)",
                mend: "start the worker again")
            return send(.refused(refusal), to: address)
        }
        let isLocal = hello.host == HostName.current && local?.contains(hello.pid) == true
        peers.greeted(worker, at: address, isLocal: isLocal, now: now)
        if let problem = hello.problem {
            progress.noted("worker \(hello.host) pid \(hello.pid) cannot begin: \(problem)", from: .beginning(worker))
            if local?.contains(hello.pid) == true { lastGoodbye = problem }
        }
        let welcome = Welcome(
            run: opened.ownership.run, systemIdentifier: opened.systemIdentifier, database: opened.database,
            heartbeatInterval: configuration.heartbeatInterval, ledgerSchema: ledger.schema.name)
        send(.welcome(welcome), to: address)
        guard hello.isReady else { return }
        peers.joined(worker, as: PeerDirectory.Process(host: hello.host, pid: hello.pid))
        progress.noted(nil, from: .beginning(worker))
        if isLocal { local?.joined(hello.pid) }
        progress.workerJoined(worker, host: hello.host, pid: hello.pid, local: isLocal, now: now)
        progress.noted(nil, from: .workers)
        log.info("worker joined", metadata: ["host": "\(hello.host)", "pid": "\(hello.pid)"])
        react { $0.workerJoined(worker, credit: hello.credit, now: $1) }
    }

    /// Forgets those that asked to join, never did, and are not heard of any more.
    func forgetSilentGuests() {
        for worker in peers.timePassed(configuration.leaseDuration, now: now) {
            progress.noted(nil, from: .beginning(worker))
        }
    }

    func report(_ worker: WorkerID, _ heartbeat: Heartbeat) {
        let held = heartbeat.held.first
        progress.workerReported(
            worker, shard: held?.lease.shard, shardRowsDone: held?.rowsDone ?? 0,
            rssBytes: heartbeat.rssBytes, peakRSSBytes: heartbeat.peakRSSBytes,
            programRSSBytes: heartbeat.programRSSBytes, waitsFor: heartbeat.waitsFor, now: now)
        if let held {
            stall.heard(
                from: worker, sequence: held.sequence, rowsDone: held.rowsDone,
                words:
                    "\(peers.name(of: worker)) is at shard \(held.lease.shard), \(heartbeat.step) for \(heartbeat.stepSeconds) s",
                now: now)
            batchRowsReported(held.batchRows)
        } else {
            stall.left(worker)
        }
    }

    /// A timeout has made a worker's batches smaller: the others need not find out by themselves, nor the next coordinator.
    private func batchRowsReported(_ rows: Int) {
        guard rows > 0, batchRows == 0 || rows < batchRows else { return }
        batchRows = rows
        notify(.batchesShrunk(rows))
        enqueue(.batchRows(rows))
    }

    func forget(_ worker: WorkerID) {
        stall.left(worker)
        progress.noted(nil, from: .worker(worker))
        progress.noted(nil, from: .beginning(worker))
        peers.left(worker)
        progress.workerLeft(worker, now: now)
        // At the end, one statement is written for all of them.
        if ending == .ahead { enqueue(.left(worker)) } else { finishTick(now) }
    }

    func send(_ message: CoordinatorMessage, to address: [UInt8]) {
        do {
            try socket?.send([address, message.encoded()])
        } catch let error as ZeroMQError where error.isUnreachable || error.isFull {
            // The worker is gone or stuck: its heartbeats, or their absence, say what follows.
            log.debug("not sent: \(error)")
        } catch {
            log.error("not sent: \(error)")
        }
    }

    func send(_ message: CoordinatorMessage, to worker: WorkerID) {
        guard let address = peers[worker]?.address else { return }
        send(message, to: address)
    }
}
