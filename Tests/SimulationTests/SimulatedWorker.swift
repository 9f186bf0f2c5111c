import Dispatching
import Sharding
import Wire
import WorkerLoop

@testable import SimulatedLedger

/// A worker process: the real state machine, and a shell that carries out its actions in the simulated world.
final class SimulatedWorker: SimulatedProcess {
    let id: WorkerID
    let slot: Int
    var isPartitioned = false
    /// The coordinator that the worker's socket is connected to.
    private var link: SimulatedCoordinator?
    private(set) var machine: WorkerLoopStateMachine
    /// Rows that were read; `computed` has the computed rows. The shell holds them, not the machine.
    private var read: SimulatedBatch?
    private var computed: SimulatedBatch?
    /// The stretch in hand; nil before the first look.
    private var stretch: SimulatedStretch?
    private var isStepUnderWay = false
    /// A committed batch whose answer was lost.
    private var unanswered: (lease: Lease, sequence: Int64)?

    init(_ simulation: Simulation, slot: Int, number: Int) {
        id = WorkerID("worker-\(slot).\(number)")
        self.slot = slot
        machine = WorkerLoopStateMachine(
            configuration: simulation.scenario.workerLoop, seed: simulation.random.next())
        super.init(simulation, name: "worker-\(slot).\(number)")
    }

    func start() {
        link = simulation.endpoint
        perform(machine.started(now: simulation.now))
        tick(every: .milliseconds(300)) { [self] in
            perform(machine.timePassed(now: simulation.now))
        }
    }

    func receive(_ message: CoordinatorMessage) {
        simulation.audit.note("\(name) hears \(message)")
        let now = simulation.now
        switch message {
        case .welcome: perform(machine.welcomed(now: now))
        case .alive(let taking): perform(machine.turnTakingTold(taking, now: now))
        case .turn(let slice, let rows): perform(machine.turnGranted(for: slice, rows: rows, now: now))
        case .refused(let refusal): perform(machine.refused(reason: refusal.reason))
        case .assign(let lease, let batchRows):
            perform(machine.leaseAssigned(lease, batchRows: batchRows, now: now))
        case .revoke(let lease):
            simulation.audit.count(.revoked)
            perform(machine.leaseRevoked(lease, now: now))
        case .drain: perform(machine.drainRequested(now: now))
        case .rejoin:
            simulation.audit.count(.rejoined)
            perform(machine.rejoinRequested(now: now))
        }
    }

    private func perform(_ actions: [WorkerAction]) {
        if let breach = machine.checkInvariants() { simulation.audit.report(.contract, "\(name): \(breach)") }
        for action in actions { perform(action) }
    }

    private func perform(_ action: WorkerAction) {
        simulation.audit.note("\(name): \(action)")
        switch action {
        case .step(let step): perform(step)
        case .tell(let report): tell(report)
        case .reconnect: link = simulation.endpoint
        case .stop(let reason):
            if isStepUnderWay { simulation.audit.report(.contract, "\(name) stops while a step is under way") }
            simulation.audit.count(reason == .drained ? .workerDrained : .workerAbandoned)
            kill()
        }
    }

    private func perform(_ step: WorkerStep) {
        if step != .discard {
            if isStepUnderWay { simulation.audit.report(.contract, "\(name): \(step) while a step is under way") }
            isStepUnderWay = true
        }
        switch step {
        case .open(let lease, _): open(lease)
        case .apply(let lease, let position): apply(order(lease, position))
        case .read(let lease, let position, let locking): read(order(lease, position), locking: locking)
        case .compute: compute()
        case .write(let lease, let position, let readNext):
            write(order(lease, position), readNext: readNext)
        case .discard:
            (read, computed) = (nil, nil)
            simulation.endTransaction(session)
        }
    }

    private func tell(_ report: WorkerReport) {
        switch report {
        case .hello: send(.hello(Hello(host: name, pid: Int32(slot), isReady: true)))
        case .heartbeat(let held):
            send(.heartbeat(Heartbeat(held: held.map { [$0] } ?? [], isExcused: machine.isExcused)))
        case .shardDone(let lease): send(.shardDone(lease))
        case .shardFailed(let lease, let error):
            send(.shardFailed(ShardFailure(lease: lease, error: error.message, scope: error.kind.scope)))
        case .leaseReleased(let lease): send(.leaseReleased(lease))
        case .leaseLost(let lease): send(.leaseLost(lease))
        case .turnWanted: send(.turnWanted(rows: machine.rowsWritten))
        case .turnEnded: send(.turnEnded(rows: machine.rowsWritten))
        case .goodbye: send(.goodbye(reason: ""))
        }
    }

    override func kill() {
        super.kill()
        // The server may notice late that its client's host is gone.
        if !simulation.chance(0.5) { simulation.close(session) }
    }

    private func send(_ message: WorkerMessage) {
        // The socket connects to the coordinator that replaced a dead one.
        if link?.isAlive != true { link = simulation.endpoint }
        guard let link, !isPartitioned else { return }
        simulation.transmit { [self] in link.deliver { link.receive(message, from: self) } }
    }

    private func order(_ lease: Lease, _ position: Position) -> SimulatedDatabase.Order {
        SimulatedDatabase.Order(
            lease: lease, owner: id, position: position, batchRows: simulation.scenario.batchRows)
    }
}

// MARK: - Steps

extension SimulatedWorker {
    private func open(_ lease: Lease) {
        execute(isBatch: false) { [self] _ in
            guard let position = simulation.database.open(lease, owner: id) else {
                simulation.audit.count(.openRefused)
                return .failed(StepError(.leaseLost, "not the owner"))
            }
            return .opened(position)
        }
    }

    private func read(_ order: SimulatedDatabase.Order, locking: Bool) {
        let deferred = order.position.deferred.compactMap { Int($0.description) }
        let again = Array(deferred.prefix(order.batchRows))
        let isComb = simulation.scenario.comb != nil
        if isComb, !locking {
            return withPart(of: order, behind: order.cursor) { [self] part in
                execute(isBatch: false) { [self] _ in .read(simulation.database.read(part, deferred: again)) }
            }
        }
        execute(isBatch: false) { [self] session in
            let batch =
                isComb
                ? simulation.database.read(nil, deferred: again)
                : simulation.database.read(
                    order.lease.shard, after: order.checkpoint, deferred: deferred, limit: order.batchRows)
            guard locking else { return .read(batch) }
            simulation.audit.count(.lockingRead)
            guard simulation.lock(batch.reread, session) else {
                return .failed(StepError(.retryable, "lock timeout"))
            }
            return .read(batch)
        }
    }

    private func compute() {
        guard var batch = read else {
            return simulation.audit.report(.contract, "\(name) computes what it has not read")
        }
        read = nil
        let stuck = simulation.chance(simulation.scenario.stuck)
        if stuck { simulation.audit.count(.statementStuck) }
        let time = stuck ? Scenario.longestStep : simulation.scenario.compute
        simulation.after(simulation.upTo(time)) { [self] in
            deliver { [self] in
                if slot < simulation.misfits {
                    step(.failed(StepError(.unfit, "no such program")))
                } else if simulation.programIsBroken {
                    step(.failed(StepError(.program, "the program failed")))
                } else {
                    batch.compute()
                    computed = batch
                    step(.computed)
                }
            }
        }
    }

    /// The content of a batch's statement.
    enum Payload {
        case range
        case part(SimulatedStretch.Part)
        /// Computed rows, and the part to read behind them.
        case rows(SimulatedBatch, next: SimulatedStretch.Part?)
    }

    private func apply(_ order: SimulatedDatabase.Order) {
        guard simulation.scenario.comb != nil else { return send(order, .range, readNext: false) }
        withPart(of: order, behind: order.cursor) { [self] part in send(order, .part(part), readNext: false) }
    }

    private func write(_ order: SimulatedDatabase.Order, readNext: Bool) {
        guard let batch = computed else {
            return simulation.audit.report(.contract, "\(name) writes what it has not computed")
        }
        computed = nil
        guard simulation.scenario.comb != nil, readNext else {
            return send(order, .rows(batch, next: nil), readNext: readNext)
        }
        withPart(of: order, behind: batch.cursor ?? order.cursor) { [self] part in
            send(order, .rows(batch, next: part), readNext: true)
        }
    }

    /// Takes the next part of the stretch in hand, or looks at another stretch first.
    private func withPart(
        of order: SimulatedDatabase.Order, behind cursor: SimulatedCursor,
        _ goOn: @escaping (SimulatedStretch.Part) -> Void
    ) {
        let shard = order.lease.shard
        if stretch?.shard == shard, stretch?.cursor == cursor, let part = stretch?.next(rows: order.batchRows) {
            return goOn(part)
        }
        guard let comb = simulation.scenario.comb else { return }
        stretch = nil
        execute(isBatch: false) { [self] _ in
            let found = simulation.database.look(shard, comb, behind: cursor, rows: order.batchRows)
            return .looked { [self] in
                stretch = found
                if let part = stretch?.next(rows: order.batchRows) { goOn(part) }
            }
        }
    }

    private func send(_ order: SimulatedDatabase.Order, _ payload: Payload, readNext: Bool) {
        // A zombie that holds locks is the worst case, and would be rare without the factor.
        if simulation.chance(simulation.scenario.freezeBeforeWrite * (session.locked.isEmpty ? 1 : 10)) {
            simulation.audit.count(.workerFrozeBeforeWrite)
            freeze(for: simulation.upTo(.seconds(15)))
        }
        deliver { [self] in
            execute(isBatch: true) { [self] session in
                simulation.commit(order, payload, readNext: readNext, by: self, session)
            }
        }
    }

    /// Sends a statement over the session. Its fate is drawn now.
    private func execute(isBatch: Bool, _ statement: @escaping (SimulatedSession) -> StepAnswer) {
        let session = session
        let fate = simulation.drawFate(isBatch: isBatch, isInTransaction: !session.locked.isEmpty)
        let way = fate == .stuck ? Scenario.longestStep : simulation.scenario.latency
        session.transactions += 1
        simulation.after(simulation.upTo(way)) { [self] in
            guard simulation.isUp(session) else { return lose() }
            meet(fate, session, statement)
        }
    }

    private func meet(
        _ fate: StatementFate, _ session: SimulatedSession, _ statement: @escaping (SimulatedSession) -> StepAnswer
    ) {
        switch fate {
        case .plain, .stuck: answer(statement(session))
        case .lostBefore: lose()
        case .lostAfter:
            if case .committed(let position, _, _) = statement(session), let lease = machine.held?.lease {
                unanswered = (lease, position.sequence)
            }
            simulation.audit.count(.commitAnswerLost)
            lose()
        case .runsLater:
            // The client has given up, but the server has not: the statement may wait there for a lock.
            simulation.after(simulation.upTo(.seconds(4))) { [self] in
                guard simulation.isUp(session) else { return }
                simulation.audit.count(.statementRanAfterItsConnection)
                _ = statement(session)
            }
            lose(closing: false)
        case .retryable:
            simulation.endTransaction(session)
            answer(.failed(StepError(.retryable, "deadlock detected")))
        case .crashAfterCommit:
            _ = statement(session)
            if isAlive { simulation.audit.count(.workerCrashedAfterCommit) }
            kill()
        }
    }

    /// The connection breaks. The worker notices that and opens another.
    private func lose(closing: Bool = true) {
        let broken = session
        if closing { simulation.close(broken) }
        simulation.after(simulation.upTo(simulation.scenario.latency)) { [self] in
            deliver { [self] in
                reconnect(closing: closing)
                step(.failed(StepError(.connectionLost, "the connection is gone")))
            }
        }
    }

    private func answer(_ answer: StepAnswer) {
        simulation.after(simulation.upTo(simulation.scenario.latency)) { [self] in
            deliver { [self] in step(answer) }
        }
    }

    /// A step's answer has arrived.
    private func step(_ answer: StepAnswer) {
        simulation.audit.note("\(name) gets \(answer)")
        // A look is only a part of a step. The machine hears of the step when all of it is done.
        if case .looked(let goOn) = answer { return goOn() }
        isStepUnderWay = false
        let now = simulation.now
        switch answer {
        case .looked: break
        case .opened(let position):
            if let lost = unanswered, lost.lease == machine.held?.lease, position.sequence == lost.sequence {
                simulation.audit.count(.commitAnswerRecovered)
            }
            unanswered = nil
            perform(machine.leaseOpened(position, now: now))
        case .read(let batch):
            read = batch
            perform(machine.batchRead(batch.summary, now: now))
        case .computed: perform(machine.batchComputed(now: now))
        case .committed(let position, let isDone, let next):
            read = next
            if next != nil { simulation.audit.count(.pipelinedRead) }
            perform(machine.batchCommitted(position, done: isDone, read: next?.summary, now: now))
        case .failed(let error): perform(machine.stepFailed(error, now: now))
        }
    }
}

/// The result of a step.
enum StepAnswer {
    case opened(Position)
    /// The keys of a stretch have arrived. The function continues the step.
    case looked(() -> Void)
    case read(SimulatedBatch)
    case computed
    case committed(Position, isDone: Bool, next: SimulatedBatch?)
    case failed(StepError)
}
