import Dispatching
import Sharding
import WorkerLoop

/// A coordinator process: the real state machine, with a shell that runs its actions one after another on one
/// connection to the ledger.
final class SimulatedCoordinator: SimulatedProcess {
    private enum Work {
        case takeOver
        case renew
        case request(LedgerRequest)
        case release(SimulatedDatabase.RunState)
    }

    let id: WorkerID
    private(set) var machine: DispatchStateMachine
    private(set) var outcome: DispatchOutcome?
    private var ownership: SimulatedOwnership?
    private var queue: [Work] = []
    private var isBusy = false
    private var isLoading = false
    private var addresses: [WorkerID: SimulatedWorker] = [:]
    /// Leases that workers reported as done: what a coordinator would believe that trusts reports.
    private var believedDone: [ShardID: Lease] = [:]

    init(_ simulation: Simulation, number: Int) {
        id = WorkerID("coordinator-\(number)")
        machine = DispatchStateMachine(configuration: simulation.scenario.dispatch, seed: simulation.random.next())
        super.init(simulation, name: "coordinator-\(number)")
    }

    private var trusts: Bool { !simulation.mechanisms.contains(.ledgerDecides) }

    func start() { enqueue(.takeOver) }

    /// Whether it has taken the run over and not let go of it.
    var isServing: Bool { isAlive && ownership != nil }

    func drain() { deliver { [self] in perform(machine.drainRequested(now: simulation.now)) } }

    func cancel() { deliver { [self] in perform(machine.cancelRequested(now: simulation.now)) } }

    func receive(_ message: FromWorkerMessage, from worker: SimulatedWorker) {
        let now = simulation.now
        simulation.audit.note("\(name) hears \(message) from \(worker.name)")
        addresses[worker.id] = worker
        switch message {
        case .hello:
            send(.welcome, to: worker.id)
            perform(machine.workerJoined(worker.id, credit: 1, now: now))
        case .heartbeat(let held):
            send(.alive, to: worker.id)
            let leases = held.map { [$0] } ?? []
            perform(machine.workerReported(worker.id, held: leases, now: now))
        case .shardDone(let lease):
            believedDone[lease.shard] = lease
            perform(machine.shardReportedDone(lease, worker: worker.id, now: now))
        case .shardFailed(let lease, let error):
            let end = AttemptEnd(.failed, error: error.message, permanent: error.kind == .permanent)
            perform(machine.attemptReported(lease, worker: worker.id, end, now: now))
        case .leaseReleased(let lease):
            perform(machine.attemptReported(lease, worker: worker.id, AttemptEnd(.released), now: now))
        case .leaseLost(let lease): perform(machine.leaseReportedLost(lease, worker: worker.id, now: now))
        case .goodbye: perform(machine.workerLeft(worker.id, now: now))
        }
    }

    private func send(_ message: FromCoordinatorMessage, to id: WorkerID) {
        guard let worker = addresses[id], !worker.isPartitioned else { return }
        simulation.transmit { worker.deliver { worker.receive(message) } }
    }

    private func perform(_ actions: [DispatchAction]) {
        for action in actions { perform(action) }
    }

    private func perform(_ action: DispatchAction) {
        simulation.audit.note("\(name): \(action)")
        switch action {
        case .ledger(let request): ask(request)
        case .tell(let worker, let instruction): tell(worker, instruction)
        case .dismiss(let worker):
            simulation.audit.count(.workerDismissed)
            if simulation.scenario.killsDismissed { addresses[worker]?.kill() }
            addresses[worker] = nil
        case .finish(let outcome): finish(outcome)
        }
    }

    private func tell(_ worker: WorkerID, _ instruction: DispatchAction.Instruction) {
        switch instruction {
        case .assign(let lease):
            let held = machine.leases.filter { $0.worker == worker }.map(\.lease.shard).sorted()
            if held.count > 1 { simulation.audit.report(.contract, "\(worker) with credit 1 has shards \(held)") }
            send(.assign(lease), to: worker)
        case .revoke(let lease): send(.revoke(lease), to: worker)
        case .rejoin: send(.rejoin, to: worker)
        case .drain: send(.drain, to: worker)
        }
    }

    private func ask(_ request: LedgerRequest) {
        switch request {
        case .recordLease, .reload, .conclude: enqueue(.request(request))
        case .recordAttempt(_, _, let end, _):
            note(end)
            fallthrough
        case .confirm:
            guard !isLoading || simulation.scenario.keepsWorkWhileLoading else { return }
            enqueue(.request(request))
        }
    }

    private func note(_ end: AttemptEnd) {
        switch end.outcome {
        case .expired: simulation.audit.count(.leaseExpired)
        case .stalled: simulation.audit.count(.leaseStalled)
        case .released, .unfit: return simulation.audit.count(.leaseReleased)
        case .failed: return simulation.audit.count(.attemptFailed)
        }
        if let healedAt = simulation.healedAt, simulation.now - healedAt > Scenario.convalescence {
            simulation.audit.report(.contract, "\(name) takes a lease back in a healed world: \(end)")
        }
    }

    private func finish(_ outcome: DispatchOutcome) {
        if self.outcome != nil { simulation.audit.report(.contract, "\(name) finishes twice") }
        self.outcome = outcome
        switch outcome {
        case .concluded(let done, let failed):
            if done + failed != simulation.database.shards.count {
                simulation.audit.report(.i5, "\(name) concludes with \(done) shards done and \(failed) failed")
            }
        case .drained, .stopped: enqueue(.release(.paused))
        case .cancelled: enqueue(.release(.cancelled))
        }
        // It answers its workers for a while, then leaves.
        simulation.after(.seconds(6)) { self.deliver { self.kill() } }
    }
}

// MARK: - The ledger

extension SimulatedCoordinator {
    private func enqueue(_ work: Work) {
        queue.append(work)
        pump()
    }

    private func pump() {
        guard !isBusy, let work = queue.first else { return }
        queue.removeFirst()
        isBusy = true
        let fate = simulation.drawFate(isBatch: false, isInTransaction: false)
        let session = session
        simulation.after(simulation.upTo(simulation.ledgerLatency)) { [self] in
            guard simulation.isUp(session), fate != .lostBefore else { return lose(work) }
            let answer = execute(work)
            if fate == .lostAfter || fate == .runsLater {
                simulation.audit.count(.commitAnswerLost)
                return lose(work)
            }
            simulation.after(simulation.upTo(simulation.ledgerLatency)) { [self] in
                deliver { [self] in
                    isBusy = false
                    answer()
                    pump()
                }
            }
        }
    }

    /// The connection is gone, and with it what was under way.
    private func lose(_ work: Work) {
        simulation.close(session)
        simulation.after(simulation.upTo(.seconds(1))) { [self] in
            deliver { [self] in
                reconnect()
                isBusy = false
                simulation.audit.note("\(name) has lost its ledger")
                if ownership == nil {
                    queue = [.takeOver]
                } else if trusts {
                    queue.insert(work, at: 0)
                } else {
                    if !isLoading { simulation.audit.count(.ledgerReloaded) }
                    machine.ledgerLost()
                    isLoading = machine.phase == .loading
                    queue = [.renew]
                    if isLoading { queue.append(.request(.reload)) }
                    if case .release = work { queue.append(work) }
                }
                pump()
            }
        }
    }

    /// Runs at the server; what it returns, at the coordinator when the answer has arrived.
    private func execute(_ work: Work) -> () -> Void {
        guard case .takeOver = work else {
            guard let ownership else { return {} }
            return execute(work, ownership)
        }
        let taken = simulation.database.takeOver(id, now: simulation.now)
        let state = simulation.database.run.state
        return { [self] in
            guard let taken else {
                guard state != .complete, state != .cancelled else { return kill() }
                simulation.after(.seconds(1)) { self.deliver { self.enqueue(.takeOver) } }
                return
            }
            simulation.audit.note("\(name) owns the run in term \(taken.term)")
            ownership = taken
            isLoading = true
            simulation.endpoint = self
            queue.append(.request(.reload))
            tick(every: .milliseconds(500)) { [self] in perform(machine.timePassed(now: simulation.now)) }
            tick(every: Scenario.renewal) { [self] in enqueue(.renew) }
        }
    }

    private func execute(_ work: Work, _ ownership: SimulatedOwnership) -> () -> Void {
        switch work {
        case .takeOver: return {}
        case .renew:
            let owns = simulation.database.renew(ownership, now: simulation.now)
            return { [self] in
                guard !owns, outcome == nil else { return }
                simulation.audit.note("\(name) does not own the run any more")
                kill()
            }
        case .release(let state):
            simulation.database.release(ownership, as: state)
            if state == .cancelled, simulation.database.run.state == .cancelled { simulation.audit.count(.cancelled) }
            return {}
        case .request(let request): return execute(request, ownership)
        }
    }

    private func execute(_ request: LedgerRequest, _ ownership: SimulatedOwnership) -> () -> Void {
        switch request {
        case .recordLease(let shard, let worker, let epoch):
            let leased = simulation.database.lease(shard, to: worker, after: epoch, ownership)
            if leased == nil { simulation.audit.count(.leaseRefused) }
            return { [self] in
                let now = simulation.now
                perform(
                    leased.map { machine.leaseRecorded($0.lease, worker: worker, sequence: $0.sequence, now: now) }
                        ?? machine.leaseRefused(shard, worker: worker, now: now))
            }
        case .recordAttempt(let lease, let worker, let end, let attempts):
            let ended = simulation.database.recordAttempt(
                lease, worker: worker, permanent: end.permanent, attempts: attempts, ownership)
            let record = simulation.database.shards[Int(lease.shard.rawValue)].record
            return { [self] in
                let now = simulation.now
                perform(
                    ended.map { machine.attemptRecorded(lease, state: $0.state, failures: $0.failures, now: now) }
                        ?? machine.shardRead(record, now: now))
            }
        case .confirm(let shard):
            var record = simulation.database.shards[Int(shard.rawValue)].record
            if trusts, believedDone[shard] != nil { record.state = .done }
            return { [self] in
                let answers = machine.shardRead(record, now: simulation.now)
                for case .tell(_, .assign) in answers { simulation.audit.count(.assignedAgain) }
                perform(answers)
            }
        case .reload:
            let records = simulation.database.shards.map(\.record)
            return { [self] in
                isLoading = false
                perform(machine.shardsLoaded(records, now: simulation.now))
            }
        case .conclude:
            let counts = simulation.database.conclude(ownership)
            return { [self] in
                perform(
                    machine.runConcluded(
                        done: counts.done, failed: counts.failed, open: counts.open, now: simulation.now))
            }
        }
    }
}
