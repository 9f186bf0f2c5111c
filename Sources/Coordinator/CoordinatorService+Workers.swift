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
                    take(try FromWorker.decode(frames[1]), from: frames[0])
                } catch {
                    log.warning("a message was dropped: \(error)")
                }
            }
        } catch {
            log.error("cannot receive: \(error)")
        }
    }

    func take(_ message: FromWorker, from address: [UInt8]) {
        let worker = WorkerID(message.worker)
        switch message.body {
        case .hello(let hello): greet(worker, hello, at: address)
        case .heartbeat(let heartbeat):
            guard peers.heard(worker, at: address) else { return send(.rejoin(.init()), to: address) }
            report(worker, heartbeat)
            send(.alive(.init()), to: address)
            let held = heartbeat.held.map {
                HeldLease(
                    lease: $0.lease.value, sequence: $0.sequence, rowsDone: $0.rowsDone, batchRows: Int($0.batchRows))
            }
            react { $0.workerReported(worker, held: held, excused: heartbeat.excused, now: $1) }
        case .shardDone(let done): react { $0.shardReportedDone(done.lease.value, worker: worker, now: $1) }
        case .shardFailed(let failed): shardFailed(failed, worker)
        case .leaseReleased(let released):
            react { $0.attemptReported(released.lease.value, worker: worker, AttemptEnd(.released), now: $1) }
        case .leaseLost(let lost): react { $0.leaseReportedLost(lost.lease.value, worker: worker, now: $1) }
        case .goodbye(let goodbye):
            if !goodbye.reason.isEmpty {
                lastGoodbye = goodbye.reason
                log.warning("a worker left: \(goodbye.reason)")
            }
            forget(worker)
            react { $0.workerLeft(worker, now: $1) }
        case nil: break
        }
    }

    private func shardFailed(_ failed: Coord_Wire_V1_ShardFailed, _ worker: WorkerID) {
        // What stops the run says nothing of the shard, nor does what is the worker's own affair.
        let outcome: AttemptEnd.Outcome = failed.stopsRun ? .released : failed.unfit ? .unfit : .failed
        let end = AttemptEnd(outcome, error: failed.error, permanent: failed.permanent)
        react { $0.attemptReported(failed.lease.value, worker: worker, end, now: $1) }
        if failed.unfit { notify(.workerUnfit(peers.name(of: worker), failed.error)) }
        if failed.stopsRun { react { $0.stopRequested(reason: failed.error, now: $1) } }
    }

    func greet(_ worker: WorkerID, _ hello: Hello, at address: [UInt8]) {
        guard hello.protocol == protocolVersion else {
            var refused = Coord_Wire_V1_Refused()
            refused.reason = "it speaks protocol \(hello.protocol), the coordinator \(protocolVersion)"
            refused.mend = "install the same version of coord on both hosts"
            return send(.refused(refused), to: address)
        }
        if let name = opened.job.transform, !hello.transforms.contains(name) {
            var refused = Coord_Wire_V1_Refused()
            refused.reason = "the job needs the transform \(name), which this worker does not have"
            refused.mend = "it has: \(hello.transforms.joined(separator: ", "))"
            lastGoodbye = refused.reason
            return send(.refused(refused), to: address)
        }
        if hello.ready, hello.run != opened.ownership.run.rawValue {
            var refused = Coord_Wire_V1_Refused()
            refused.reason = "it worked for run \(hello.run), and the coordinator leads run \(runNumber)"
            refused.mend = "start the worker again"
            return send(.refused(refused), to: address)
        }
        let isLocal = hello.host == HostName.current && local?.contains(hello.pid) == true
        peers.greeted(worker, at: address, isLocal: isLocal, now: now)
        if !hello.problem.isEmpty {
            progress.noted(
                "worker \(hello.host) pid \(hello.pid) cannot begin: \(hello.problem)", from: .beginning(worker))
            if local?.contains(hello.pid) == true { lastGoodbye = hello.problem }
        }
        var welcome = Coord_Wire_V1_Welcome()
        welcome.protocol = protocolVersion
        welcome.run = opened.ownership.run.rawValue
        welcome.systemIdentifier = opened.systemIdentifier
        welcome.database = opened.database
        welcome.ledgerSchema = ledger.schema.name
        welcome.heartbeatMs = UInt32(configuration.heartbeatInterval / .milliseconds(1))
        send(.welcome(welcome), to: address)
        guard hello.ready else { return }
        peers.joined(worker, as: PeerDirectory.Process(host: hello.host, pid: hello.pid))
        progress.noted(nil, from: .beginning(worker))
        if isLocal { local?.joined(hello.pid) }
        progress.workerJoined(worker, host: hello.host, pid: hello.pid, local: isLocal, now: now)
        progress.noted(nil, from: .workers)
        log.info("worker joined", metadata: ["host": "\(hello.host)", "pid": "\(hello.pid)"])
        react { $0.workerJoined(worker, credit: Int(hello.credit), now: $1) }
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
            worker, shard: held.map { ShardID($0.lease.shard) }, shardRowsDone: held?.rowsDone ?? 0,
            rssBytes: heartbeat.rssBytes, peakRSSBytes: heartbeat.peakRssBytes,
            programRSSBytes: heartbeat.programRssBytes, waitsFor: heartbeat.waitsFor, now: now)
        if let held {
            stall.heard(
                from: worker, sequence: held.sequence, rowsDone: held.rowsDone,
                words:
                    "\(peers.name(of: worker)) is at shard \(held.lease.shard), \(heartbeat.step) for \(heartbeat.stepSeconds) s",
                now: now)
            batchRowsReported(Int(held.batchRows))
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

    func send(_ body: FromCoordinator.OneOf_Body, to address: [UInt8]) {
        var message = FromCoordinator()
        message.body = body
        do {
            try socket?.send([address, message.encoded()])
        } catch let error as ZeroMQError where error.isUnreachable || error.isFull {
            // The worker is gone or stuck: its heartbeats, or their absence, say what follows.
            log.debug("not sent: \(error)")
        } catch {
            log.error("not sent: \(error)")
        }
    }

    func send(_ body: FromCoordinator.OneOf_Body, to worker: WorkerID) {
        guard let address = peers[worker]?.address else { return }
        send(body, to: address)
    }
}
