import Dispatching
import Sharding
import WorkerLoop

@testable import SimulatedLedger

/// A seeded run of the real state machines in a simulated world, on virtual time.
///
/// Nothing depends on the order of a hash table, so a seed always gives the same trace.
final class Simulation {
    let seed: UInt64
    let scenario: Scenario
    let mechanisms: SafetyMechanisms
    let audit: Audit
    var database: SimulatedDatabase
    var random: SeededGenerator
    private(set) var now: Duration = .zero
    private var events = EventQueue()

    /// The keys that the application changes again and again.
    let hotKeys: [Int]

    /// The coordinator that workers reach.
    var endpoint: SimulatedCoordinator?
    var coordinators: [SimulatedCoordinator] = []
    var workers: [SimulatedWorker] = []
    var processes = 0

    /// The era of the server. All sessions of an era end with it.
    private var era = 0
    private var sessions = 0
    var serverIsDown = false
    var programIsBroken = false
    /// The workers of the slots below it have no program.
    var misfits: Int
    /// Whether workers with a program stay away when they are gone.
    var fitWorkersStayAway = false
    /// The shards whose rows an outside session has locked.
    var heldShards: Set<ShardID> = []
    /// Whether a failover is about to lose commits.
    var failoverIsDue = false
    private(set) var healedAt: Duration?
    private(set) var completedAt: Duration?
    private(set) var handled = 0

    var mode: WorkerLoopStateMachine.Mode { scenario.mode }

    init(
        seed: UInt64, mechanisms: SafetyMechanisms = .all, tolerated: [Invariant] = [], isTracing: Bool = false,
        adjust: (inout Scenario) -> Void = { _ in }
    ) {
        self.seed = seed
        var scenario = Scenario(seed: seed)
        adjust(&scenario)
        self.scenario = scenario
        self.mechanisms = mechanisms
        misfits = scenario.misfits
        audit = Audit(isTracing: isTracing, tolerated: tolerated)
        random = SeededGenerator(seed: seed)
        database = SimulatedDatabase(
            rows: scenario.rows, shards: scenario.shards, comb: scenario.comb, mechanisms: mechanisms, audit: audit,
            using: &random)
        let rows = database.rows
        hotKeys = (0..<scenario.hotKeys).map { rows[$0 * 37 % rows.count].key }
    }

    /// The most events of a seed. More events mean a livelock.
    static let eventLimit = 400_000

    /// Runs until the run is over and every process has left, or until an invariant has fallen.
    func run() -> Violation? {
        audit.note("seed \(seed): \(scenario)")
        database.checkTiling()
        startCoordinator()
        for slot in 0..<scenario.workers { startWorker(slot) }
        scheduleFaults()
        supervise()

        while audit.violation == nil, let next = events.next() {
            now = next.at
            audit.now = now
            next.event()
            handled += 1
            if handled > Self.eventLimit { audit.report(.i7, "more than \(Self.eventLimit) events: a livelock") }
            if isOver { break }
        }
        if audit.violation == nil { checkEnd() }
        events.removeAll()
        return audit.violation
    }

    // MARK: - Time and chance

    func after(_ delay: Duration, _ event: @escaping () -> Void) { events.schedule(at: now + delay, event) }

    /// The ledger's latency. A slow ledger counts as a fault, which ends with the others.
    var ledgerLatency: Duration { healedAt == nil ? scenario.ledgerLatency : scenario.latency }

    /// Draws an event of this probability. It never occurs after all faults have ended.
    func chance(_ probability: Double) -> Bool {
        guard healedAt == nil, probability > 0 else { return false }
        return Double(random.next() >> 11) * 0x1p-53 < probability
    }

    func upTo(_ most: Duration) -> Duration {
        let (seconds, attoseconds) = most.components
        let microseconds = UInt64(seconds) * 1_000_000 + UInt64(attoseconds / 1_000_000_000_000)
        return .microseconds(Int64(random.next() % max(1, microseconds)) + 1)
    }

    // MARK: - The end

    private var isOver: Bool {
        completedAt != nil && !workers.contains(where: \.isAlive) && !coordinators.contains(where: \.isAlive)
    }

    /// Ends all faults, including those that chance brings.
    func heal() {
        guard healedAt == nil else { return }
        healedAt = now
        audit.note("everything heals")
        serverIsDown = false
        programIsBroken = false
        heldShards = []
        for worker in workers {
            worker.isPartitioned = false
            worker.thaw()
        }
        for coordinator in coordinators { coordinator.thaw() }
    }

    /// Does what an operator or a service supervisor does: resumes the run and starts what has died.
    private func supervise() {
        workers.removeAll { !$0.isAlive && $0.slot < 0 }
        coordinators.removeAll { !$0.isAlive }
        // After a failover that lost a takeover, the run may belong to an older coordinator again.
        if endpoint?.isAlive != true { endpoint = coordinators.last(where: \.isServing) }
        let state = database.run.state
        if state == .complete || state == .cancelled {
            if !failoverIsDue, completedAt == nil {
                completedAt = now
                heal()
            }
        } else {
            completedAt = nil
            if !coordinators.contains(where: { !$0.isFrozen && $0.outcome == nil }) { startCoordinator() }
            for index in workers.indices where !workers[index].isAlive && chanceOfRestart() {
                if fitWorkersStayAway, workers[index].slot >= misfits { continue }
                startWorker(workers[index].slot, at: index)
            }
        }
        if let healedAt, completedAt == nil, now - healedAt > scenario.patience {
            audit.report(.i7, "the run is not over \(scenario.patience) after everything healed: \(database.run)")
        }
        if let completedAt, now - completedAt > .seconds(60) {
            let left = workers.filter(\.isAlive).map(\.name) + coordinators.filter(\.isAlive).map(\.name)
            audit.report(.i7, "the run is over, but \(left) stay")
        }
        after(.milliseconds(500)) { self.supervise() }
    }

    private func chanceOfRestart() -> Bool { random.next() % 2 == 0 }

    private func checkEnd() {
        if database.run.state == .complete { database.checkCompleted() }
        database.checkTiling()
        for (index, row) in database.rows.enumerated() where index > 0 && database.rows[index - 1].key >= row.key {
            audit.report(.i4, "the simulated table is out of order at \(row.key)")
        }
    }

    // MARK: - Processes

    func startCoordinator() {
        processes += 1
        let coordinator = SimulatedCoordinator(self, number: processes)
        coordinators.append(coordinator)
        audit.note("\(coordinator.name) starts")
        coordinator.start()
    }

    func startWorker(_ slot: Int, at index: Int? = nil) {
        processes += 1
        let worker = SimulatedWorker(self, slot: slot, number: processes)
        if let index { workers[index] = worker } else { workers.append(worker) }
        audit.note("\(worker.name) starts")
        worker.start()
    }

    // MARK: - Network

    /// Carries a message. It may be lost, arrive twice, or arrive late and so out of order.
    func transmit(_ arrive: @escaping () -> Void) {
        if chance(scenario.loss) { return audit.count(.messageLost) }
        let copies = chance(scenario.repetition) ? 2 : 1
        if copies > 1 { audit.count(.messageRepeated) }
        for _ in 0..<copies {
            let isLate = chance(scenario.late)
            if isLate { audit.count(.messageLate) }
            after(upTo(isLate ? scenario.lateness : .milliseconds(3)), arrive)
        }
    }

    // MARK: - The server

    func openSession() -> SimulatedSession {
        sessions += 1
        return SimulatedSession(id: sessions, era: era)
    }

    func isUp(_ session: SimulatedSession) -> Bool { !serverIsDown && !session.isBroken && session.era == era }

    func endSessions() {
        era += 1
        database.locks = [:]
        heldShards = []
    }

    func close(_ session: SimulatedSession) {
        session.isBroken = true
        endTransaction(session)
    }

    func endTransaction(_ session: SimulatedSession) {
        session.transactions += 1
        for key in session.locked where database.locks[key] == session.id { database.locks[key] = nil }
        session.locked = []
    }

    /// Locks rows until the session's transaction ends. False if another session has locked one of them.
    func lock(_ keys: [Int], _ session: SimulatedSession) -> Bool {
        for key in keys {
            if let holder = database.locks[key], holder != session.id {
                audit.count(.lockTimeout)
                return false
            }
        }
        for key in keys where database.index(of: key) != nil { database.locks[key] = session.id }
        session.locked = keys
        let transaction = session.transactions
        after(Scenario.idleInTransaction) { [self] in
            guard session.transactions == transaction, !session.locked.isEmpty else { return }
            audit.count(.idleTransactionEnded)
            close(session)
        }
        return true
    }

    /// Runs a batch's statement at the server.
    func commit(
        _ order: SimulatedDatabase.Order, _ payload: SimulatedWorker.Payload, readNext: Bool,
        by worker: SimulatedWorker,
        _ session: SimulatedSession
    ) -> StepAnswer {
        let outcome: SimulatedDatabase.Outcome
        var batch: SimulatedBatch?
        switch payload {
        case .range: outcome = database.changeRange(order)
        case .part(let part): outcome = database.changeKeys(order, part)
        case .rows(let rows, _):
            batch = rows
            outcome = database.changeRows(order, rows, session: session.id)
        }
        endTransaction(session)
        switch outcome {
        case .refused:
            audit.count(.fenceRefused)
            return .failed(StepError(.fenced, "refused by the fence"))
        case .lockTimeout:
            audit.count(.lockTimeout)
            return .failed(StepError(.retryable, "lock timeout"))
        case .changed(let change):
            // The negative control sends the checkpoint after the rows, so a failure in between loses the checkpoint.
            if !mechanisms.contains(.checkpoint), !worker.isAlive || chance(0.1) || !database.passesFence(order) {
                database.noteLostCheckpoint(change)
                return .failed(StepError(.connectionLost, "the connection broke before the checkpoint"))
            }
            let (position, isDone) = database.advance(order, change)
            guard readNext, let batch else { return .committed(position, isDone: isDone, next: nil) }
            if case .rows(_, let part?) = payload {
                return .committed(position, isDone: isDone, next: database.read(part, deferred: []))
            }
            let next = database.read(
                order.lease.shard, after: batch.cursor?.checkpoint ?? order.checkpoint, deferred: [],
                limit: order.batchRows)
            return .committed(position, isDone: isDone, next: next)
        }
    }
}
