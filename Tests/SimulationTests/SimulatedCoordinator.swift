import Dispatching
import LedgerQueueing
import Sharding
import Wire

@testable import SimulatedLedger

/// A coordinator process: the real state machines, and a shell that carries out their actions on one connection to the
/// ledger.
final class SimulatedCoordinator: SimulatedProcess {
    let id: WorkerID
    private(set) var machine: DispatchStateMachine
    private var queue: LedgerQueueStateMachine
    private var turns = TurnTable(limit: 2)
    private var pace: Int64?
    private(set) var outcome: DispatchOutcome?
    private var machineHasFinished = false
    private var ownership: SimulatedOwnership?
    private var addresses: [WorkerID: SimulatedWorker] = [:]
    /// Leases that workers reported as done. Only the negative control that trusts reports believes them.
    private var believedDone: [ShardID: Lease] = [:]
    /// Leases with failed attempts that the ledger was not told of yet.
    private var unwritten: Set<Lease> = []
    /// The last renewal of the ownership at the server, or the last end of a trouble that may have delayed it.
    private var renewedAt: Duration = .zero

    init(_ simulation: Simulation, number: Int) {
        id = WorkerID("coordinator-\(number)")
        machine = DispatchStateMachine(configuration: simulation.scenario.dispatch, seed: simulation.random.next())
        queue = LedgerQueueStateMachine(configuration: simulation.scenario.ledgerQueue)
        super.init(simulation, name: "coordinator-\(number)")
    }

    private var trusts: Bool { !simulation.mechanisms.contains(.ledgerDecides) }

    func start() { takeOver() }

    override func thaw() {
        if isAlive, isFrozen { renewedAt = simulation.now }
        super.thaw()
    }

    /// Whether this coordinator has taken the run over and still owns it.
    var isServing: Bool { isAlive && ownership != nil }

    func drain() { deliver { [self] in perform(machine.drainRequested(now: simulation.now)) } }

    func cancel() { deliver { [self] in perform(machine.cancelRequested(now: simulation.now)) } }

    func receive(_ message: WorkerMessage, from worker: SimulatedWorker) {
        let now = simulation.now
        simulation.audit.note("\(name) hears \(message) from \(worker.name)")
        addresses[worker.id] = worker
        switch message {
        case .hello(let hello):
            send(.welcome(Self.welcome), to: worker.id)
            perform(machine.workerJoined(worker.id, credit: hello.credit, now: now))
        case .heartbeat(let heartbeat):
            send(.alive(simulation.scenario.turnTaking(at: simulation.now)), to: worker.id)
            perform(
                machine.workerReported(worker.id, held: heartbeat.held, excused: heartbeat.isExcused, now: now))
        case .shardDone(let lease):
            believedDone[lease.shard] = lease
            perform(machine.shardReportedDone(lease, worker: worker.id, now: now))
        case .shardFailed(let failure):
            let end = AttemptEnd(failedBy: failure.scope, error: failure.error)
            perform(machine.attemptReported(failure.lease, worker: worker.id, end, now: now))
            if failure.scope == .run { perform(machine.stopRequested(reason: failure.error, now: now)) }
        case .leaseReleased(let lease):
            perform(machine.attemptReported(lease, worker: worker.id, AttemptEnd(.released), now: now))
        case .leaseLost(let lease): perform(machine.leaseReportedLost(lease, worker: worker.id, now: now))
        case .turnWanted(let rows):
            simulation.audit.count(.turnTaken)
            grant(turns.wanted(worker.id, rows: rows, now: now))
        case .turnEnded(let rows): grant(turns.ended(worker.id, rows: rows, now: now))
        case .goodbye:
            grant(turns.left(worker.id, now: now))
            enqueue(.left(worker.id))
            perform(machine.workerLeft(worker.id, now: now))
        }
    }

    /// The welcome for workers: there is one run in one ledger.
    private static let welcome = Welcome(
        run: RunID(1), systemIdentifier: "1", database: "simulated", heartbeatInterval: .seconds(1),
        ledgerSchema: "coord")

    private func send(_ message: CoordinatorMessage, to id: WorkerID) {
        guard let worker = addresses[id], !worker.isPartitioned else { return }
        simulation.transmit { worker.deliver { worker.receive(message) } }
    }

    private func grant(_ grants: [TurnTable.Grant]) {
        if let breach = turns.checkInvariants() { simulation.audit.report(.contract, "\(name): \(breach)") }
        for grant in grants { send(.turn(slice: grant.slice, rows: grant.rows), to: grant.worker) }
    }

    private func perform(_ actions: [DispatchAction]) {
        if let breach = machine.checkInvariants() { simulation.audit.report(.contract, "\(name): \(breach)") }
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
            grant(turns.left(worker, now: simulation.now))
            enqueue(.left(worker))
        case .finish(let outcome):
            if machineHasFinished { simulation.audit.report(.contract, "\(name) finishes twice") }
            machineHasFinished = true
            // If the ledger has ended the run, late messages may still make the machine finish.
            if self.outcome == nil { finish(outcome) }
        }
    }

    private func tell(_ worker: WorkerID, _ instruction: DispatchAction.Instruction) {
        switch instruction {
        case .assign(let lease):
            let held = machine.leases.filter { $0.worker == worker }.map(\.lease.shard).sorted()
            if held.count > 1 { simulation.audit.report(.contract, "\(worker) with credit 1 has shards \(held)") }
            send(.assign(lease, batchRows: 0), to: worker)
        case .revoke(let lease): send(.revoke(lease), to: worker)
        case .rejoin: send(.rejoin, to: worker)
        case .drain: send(.drain, to: worker)
        }
    }

    private func ask(_ request: LedgerRequest) {
        if case .recordAttempt(let lease, _, let end, _) = request {
            note(end)
            if end.outcome.countsAgainstShard { unwritten.insert(lease) }
        }
        switch request {
        case .recordLease, .recordAttempt, .reload, .conclude: enqueue(.dispatch(request))
        case .confirm:
            guard machine.phase != .loading || simulation.scenario.keepsWorkWhileLoading else { return }
            enqueue(.dispatch(request))
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
        self.outcome = outcome
        if case .concluded(let done, let failed) = outcome, done + failed != simulation.database.shards.count {
            simulation.audit.report(.i5, "\(name) concludes with \(done) shards done and \(failed) failed")
        }
        if case .stopped(let reason) = outcome { simulation.operatorLooks(at: reason) }
        perform(queue.runEnded(outcome))
    }
}

// MARK: - The ledger

extension SimulatedCoordinator {
    private func enqueue(_ task: LedgerTask) { perform(queue.requested(task)) }

    private func perform(_ actions: [LedgerQueueAction]) {
        if let breach = queue.checkInvariants() { simulation.audit.report(.contract, "\(name): \(breach)") }
        for action in actions { perform(action) }
    }

    private func perform(_ action: LedgerQueueAction) {
        simulation.audit.note("\(name): \(action)")
        switch action {
        case .ask(let task): ask(task)
        case .inquire: inquire()
        case .pause(let pause):
            simulation.after(pause) { self.deliver { [self] in perform(queue.pauseEnded()) } }
        case .endHolder(let shard):
            simulation.audit.count(.holderEnded)
            let owner = simulation.database.shards[Int(shard.rawValue)].owner
            if let worker = simulation.workers.first(where: { $0.id == owner }) { simulation.close(worker.session) }
        case .suspendDispatch:
            if machine.phase != .loading { simulation.audit.count(.ledgerReloaded) }
            machine.ledgerLost()
        case .announceLoss, .noteAway: break
        case .obeyPause: break  // nobody pauses a simulated run
        case .obeyCancel:
            perform(machine.cancelRequested(now: simulation.now))
            if outcome == nil { finish(.cancelled) }
        case .conclude(let done, let failed): if outcome == nil { finish(.concluded(done: done, failed: failed)) }
        case .giveUp(let task, let failure):
            if case .release = task {
                simulation.audit.report(.contract, "\(name) gives its release up: \(failure)")
            }
        // The coordinator still answers its workers for a while, then leaves.
        case .leave: simulation.after(.seconds(6)) { self.deliver { self.kill() } }
        case .stop(let stop):
            switch stop {
            case .ousted: simulation.audit.count(.ousted)
            case .away: simulation.audit.count(.ledgerGivenUp)
            case .failed: break
            }
            kill()
        }
    }

    /// Carries a statement to the server and its answer back. Either may be lost.
    ///
    /// - Parameters:
    ///   - execute: runs at the server. The function that it returns runs at the coordinator, when the answer
    ///   has arrived.
    ///   - shard: the shard whose row the statement locks.
    private func send(
        locking shard: ShardID? = nil, _ execute: @escaping () -> () -> Void,
        failed: @escaping (LedgerFailure) -> Void
    ) {
        let fate = simulation.drawFate(isBatch: false, isInTransaction: false)
        let isBusy = simulation.chance(simulation.scenario.busyLedger)
        let session = session
        simulation.after(simulation.upTo(simulation.ledgerLatency)) { [self] in
            arrive(execute, failed, fate, isBusy: isBusy, session, locking: shard)
        }
    }

    private func arrive(
        _ execute: @escaping () -> () -> Void, _ failed: @escaping (LedgerFailure) -> Void, _ fate: StatementFate,
        isBusy: Bool, _ session: SimulatedSession, locking shard: ShardID?
    ) {
        guard simulation.isUp(session), fate != .lostBefore else { return lose(failed) }
        if let shard, simulation.heldShards.contains(shard) {
            return simulation.after(Scenario.lockTimeout) { [self] in
                let isHeld = simulation.heldShards.contains(shard)
                arrive(execute, failed, fate, isBusy: isBusy || isHeld, session, locking: nil)
            }
        }
        let answer = isBusy ? { failed(LedgerFailure(.busy, Trouble.locked)) } : execute()
        if fate == .lostAfter || fate == .runsLater {
            simulation.audit.count(.commitAnswerLost)
            return lose(failed)
        }
        simulation.after(simulation.upTo(simulation.ledgerLatency)) { self.deliver(answer) }
    }

    private enum Trouble: Error { case connection, locked, damage }

    /// The connection is gone, and with it the request under way.
    private func lose(_ failed: @escaping (LedgerFailure) -> Void) {
        simulation.close(session)
        simulation.after(simulation.upTo(.seconds(1))) { [self] in
            deliver { [self] in
                reconnect()
                renewedAt = simulation.now
                simulation.audit.note("\(name) has lost its ledger")
                failed(LedgerFailure(.away, Trouble.connection))
            }
        }
    }

    private func followPace() {
        let pace = simulation.scenario.rowsPerSecond(at: simulation.now)
        guard pace != self.pace else { return }
        self.pace = pace
        simulation.audit.count(.paceChanged)
        grant(turns.paced(pace, now: simulation.now))
    }

    private func takeOver() {
        send { [self] in
            let taken = simulation.database.takeOver(id, now: simulation.now)
            renewedAt = simulation.now
            let state = simulation.database.run.state
            return { [self] in
                guard let taken else {
                    guard state != .complete, state != .cancelled else { return kill() }
                    simulation.after(.seconds(1)) { self.deliver { self.takeOver() } }
                    return
                }
                simulation.audit.note("\(name) owns the run in term \(taken.term)")
                ownership = taken
                simulation.endpoint = self
                enqueue(.dispatch(.reload))
                tick(every: .milliseconds(500)) { [self] in
                    perform(machine.timePassed(now: simulation.now))
                    followPace()
                    grant(turns.timePassed(now: simulation.now))
                }
                tick(every: Scenario.renewal) { [self] in enqueue(.renew) }
            }
        } failed: { [self] _ in
            takeOver()
        }
    }

    private func ask(_ task: LedgerTask) {
        guard let ownership else { return }
        var shard: ShardID?
        if case .dispatch(.recordLease(let id, _, _)) = task { shard = id }
        send(locking: shard) { [self] in
            let answer = execute(task, ownership)
            return { [self] in
                let isOurs = answer()
                perform(isOurs ? queue.answered() : queue.refused())
            }
        } failed: { [self] failure in
            if failure.kind == .busy { simulation.audit.count(.ledgerBusy) }
            // The negative control repeats the request as if nothing had happened.
            if trusts { return ask(task) }
            perform(queue.failed(failure, now: simulation.now))
        }
    }

    private func inquire() {
        guard let ownership else { return }
        send { [self] in
            let standing = simulation.database.standing(ownership)
            return { [self] in
                perform(
                    standing.map { queue.standingRead($0) }
                        ?? queue.failed(LedgerFailure(.damage, Trouble.damage), now: simulation.now))
            }
        } failed: { [self] failure in
            perform(queue.failed(failure, now: simulation.now))
        }
    }

    /// Runs at the server. The function that it returns runs at the coordinator, when the answer has arrived, and says
    /// whether the coordinator still owns the run.
    private func execute(_ task: LedgerTask, _ ownership: SimulatedOwnership) -> () -> Bool {
        switch task {
        case .dispatch(let request): return execute(request, ownership)
        case .renew:
            let owns = simulation.database.renew(ownership, now: simulation.now)
            checkRenewal()
            return { owns }
        case .release(let cancelled):
            simulation.database.release(ownership, as: cancelled ? .cancelled : .paused)
            if cancelled, simulation.database.run.state == .cancelled { simulation.audit.count(.cancelled) }
            return { true }
        case .note, .left, .batchRows: return { true }
        }
    }

    /// A coordinator that reaches its ledger, and whose statements do not meet chance, keeps its ownership.
    private func checkRenewal() {
        let gap = simulation.now - renewedAt
        renewedAt = simulation.now
        guard gap > SimulatedDatabase.ownership, simulation.scenario.busyLedger == 0,
            simulation.scenario.ledgerLatency == simulation.scenario.latency
        else { return }
        simulation.audit.report(.i7, "\(name) lives, and did not renew its ownership for \(gap)")
    }

    private func execute(_ request: LedgerRequest, _ ownership: SimulatedOwnership) -> () -> Bool {
        switch request {
        case .recordLease(let shard, let worker, let epoch):
            if unwritten.contains(Lease(shard: shard, epoch: epoch)) {
                let fault = "\(name) leases \(shard), whose failure at \(epoch) it has not written"
                simulation.audit.report(.contract, fault)
            }
            let leased = simulation.database.lease(shard, to: worker, after: epoch, ownership)
            if leased == nil { simulation.audit.count(.leaseRefused) }
            return { [self] in
                let now = simulation.now
                perform(
                    leased.map { machine.leaseRecorded($0.lease, worker: worker, sequence: $0.sequence, now: now) }
                        ?? machine.leaseRefused(shard, worker: worker, now: now))
                return true
            }
        case .recordAttempt(let lease, let worker, let end, let attempts):
            unwritten.remove(lease)
            let ended = simulation.database.recordAttempt(
                lease, worker: worker, permanent: end.permanent, attempts: attempts, ownership)
            let record = simulation.database.shards[Int(lease.shard.rawValue)].record
            return { [self] in
                let now = simulation.now
                perform(
                    ended.map { machine.attemptRecorded(lease, state: $0.state, failures: $0.failures, now: now) }
                        ?? machine.shardRead(record, now: now))
                return true
            }
        case .confirm(let shard):
            var record = simulation.database.shards[Int(shard.rawValue)].record
            if trusts, believedDone[shard] != nil { record.state = .done }
            return { [self] in
                let answers = machine.shardRead(record, now: simulation.now)
                for case .tell(_, .assign) in answers { simulation.audit.count(.assignedAgain) }
                perform(answers)
                return true
            }
        case .reload:
            let records = simulation.database.shards.map(\.record)
            return { [self] in
                perform(machine.shardsLoaded(records, now: simulation.now))
                return true
            }
        case .conclude:
            guard let counts = simulation.database.conclude(ownership) else { return { false } }
            return { [self] in
                perform(
                    machine.runConcluded(
                        done: counts.done, failed: counts.failed, open: counts.open, now: simulation.now))
                return true
            }
        }
    }
}
