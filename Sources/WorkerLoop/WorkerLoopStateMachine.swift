public import Sharding

/// The worker's state machine: join, take a lease, advance its shard batch by batch, give it back.
///
/// Methods are events; each returns the actions that follow. The machine does no I/O and never reads a clock: `now` is
/// the time since any fixed moment. After a failed step, the machine opens the lease again before it goes on. This
/// reads the shard's position from the ledger, so that a commit with a lost answer is neither repeated nor skipped.
///
/// The coordinator's messages may be late, lost or repeated, and are then ignored. The shell's events may not: the
/// shell reports the end of each step once, and its times never go back. `checkInvariants` names a breach.
public struct WorkerLoopStateMachine: Sendable {
    /// The kind of a job's batches.
    public enum Mode: Sendable, Equatable {
        /// PostgreSQL computes: one statement a batch.
        case setBased
        /// A program computes: read, compute, write.
        case rowBased
    }

    public struct Configuration: Sendable {
        public var mode: Mode
        public var retry: RetryPolicy
        public var heartbeatInterval: Duration
        /// When the coordinator is silent for longer, the worker tries a new connection.
        public var silentAfter: Duration
        /// When the coordinator is silent for longer, a worker without a lease leaves.
        public var giveUpAfter: Duration
        /// Batches in a row that defer the same row before deferred rows are read under a lock. Otherwise a row that
        /// changes more often than a batch takes would never be done. Only every second of these batches reads the row
        /// again: the read in a write's round trip is sent before the write's answer names the deferred rows.
        public var deferralLimit: Int
        /// The longest wait for the database or for a held row. After it the attempt ends.
        public var patience: Duration
        /// Whether batches are written in turns that the coordinator grants, when the worker begins.
        public var turnTaking: TurnTaking

        public init(
            mode: Mode, retry: RetryPolicy = RetryPolicy(), heartbeatInterval: Duration = .seconds(1),
            silentAfter: Duration = .seconds(10), giveUpAfter: Duration = .seconds(300), deferralLimit: Int = 10,
            patience: Duration = .seconds(600), turnTaking: TurnTaking = .none
        ) {
            self.turnTaking = turnTaking
            self.patience = patience
            self.mode = mode
            self.retry = retry
            self.heartbeatInterval = heartbeatInterval
            self.silentAfter = silentAfter
            self.giveUpAfter = giveUpAfter
            self.deferralLimit = deferralLimit
        }
    }

    /// The worker's activity on its lease. From `opening`, `reading`, `computing`, `writing`, `applying` and `waiting`,
    /// a revoked lease leads to `idle` and a drain to `stopped`, once the step under way has ended (a computed batch is
    /// still written). `refused` leads to `stopped` from everywhere.
    ///
    /// - `idle`: leaves by `leaseAssigned`, to `opening`; by `drainRequested` or a coordinator that stays silent, to
    ///   `stopped`.
    /// - `opening`: leaves by `leaseOpened`, to `applying` or `reading`; by `stepFailed`, as every step does, to
    ///   `waiting` or, when the attempt ends, to `idle`.
    /// - `queued`: leaves by `turnGranted`, or after a time without one, to `applying` or `writing`.
    /// - `applying`: leaves by `batchCommitted`, to itself or `idle`; by `stepFailed`.
    /// - `reading`: leaves by `batchRead`, to `computing`; by `stepFailed`.
    /// - `computing`: leaves by `batchComputed`, to `writing`; by `stepFailed`.
    /// - `writing`: leaves by `batchCommitted`, to `computing`, `reading` or `idle`; by `stepFailed`.
    /// - `waiting`: leaves when its time has passed, to `opening`.
    /// - `stopped`: never left.
    public enum Activity: Equatable, Sendable {
        case idle
        case opening
        case queued(WorkerStep, ReadSummary?, since: Duration)
        case applying
        case reading
        case computing(ReadSummary)
        case writing(ReadSummary)
        case waiting(until: Duration)
        case stopped
    }

    struct Work: Equatable, Sendable {
        var lease: Lease
        var position = Position()
        /// Retryable steps that failed in a row, without a batch in between.
        var failures = 0
        /// The coordinator took the lease back: stop after the step under way.
        var revoked = false
        /// For each deferred row, the batches in a row that have deferred it.
        var deferrals: [Key: Int] = [:]
        /// The row limit of a batch after timeouts here or elsewhere have lowered it; 0 while the job's own limit
        /// holds.
        var batchRows = 0
        /// The current wait; nil after a batch.
        var wait: Wait?
        /// The row and the error of the last failed step, if the error concerned a row.
        var fault: String?
        /// Batches that the fence refused in a row.
        var refusals = 0
    }

    /// A wait for something that heals by itself.
    struct Wait: Equatable, Sendable {
        var kind: StepError.Kind
        var since: Duration
        var reason: String
        var cause: StepError.Cause
        var tries: Int
    }

    /// A worker's turn to write.
    enum Turn: Equatable, Sendable {
        case none
        case asked
        /// - Parameter rows: the number of rows written by this worker at which it ends; nil for no such end.
        case granted(until: Duration, rows: Int64?)
    }

    /// The longest wait for a turn, unless somebody has limited the pace. Nothing else hangs on it: without one, the batch
    /// goes on.
    static let turnPatience = Duration.seconds(10)
    /// The wait for a turn when the coordinator is not heard.
    static let silentTurnPatience = Duration.seconds(3)
    /// Computing a batch for longer gives the turn to others meanwhile.
    static let quickComputation = Duration.milliseconds(10)

    /// Batches that the fence refuses in a row, although the lease can be opened, before the lease counts as lost.
    static let refusalLimit = 5
    /// The pauses between two looks during a wait: the first, then doubled each time, up to the last.
    static let pauses = (first: Duration.milliseconds(200), last: Duration.seconds(1))

    public let configuration: Configuration
    public internal(set) var activity: Activity = .idle
    var work: Work?
    /// A lease assigned while another was in hand.
    private(set) var next: Lease?
    private var nextBatchRows = 0
    private var joined = false
    private(set) var draining = false
    public private(set) var turnTaking: TurnTaking
    private(set) var turn = Turn.none
    /// The rows that this worker has written.
    public private(set) var rowsWritten: Int64 = 0
    private var computingSince = Duration.zero
    private var computesQuickly = false
    /// The first event that the shell must not report, in words.
    private(set) var breach: String?
    /// The latest time that the shell has reported.
    private var toldAt: Duration?
    private var heardAt: Duration = .zero
    private var soughtAt: Duration = .zero
    private var saidAt: Duration = .zero
    private var generator: SeededGenerator

    public init(configuration: Configuration, seed: UInt64) {
        self.configuration = configuration
        turnTaking = configuration.turnTaking
        generator = SeededGenerator(seed: seed)
    }

    // MARK: - The coordinator's events

    /// The socket is open.
    public mutating func started(now: Duration) -> [WorkerAction] {
        heard(now: now)
        soughtAt = now
        saidAt = now
        return [.tell(.hello)]
    }

    public mutating func welcomed(now: Duration) -> [WorkerAction] {
        heard(now: now)
        joined = true
        // A coordinator that has just learned of this worker knows of no turn.
        guard case .queued = activity else { return [heartbeat(now: now)] }
        return [heartbeat(now: now), .tell(.turnWanted)]
    }

    /// - Parameters:
    ///   - slice: how long the turn may last. A batch that begins within it is still the turn's.
    ///   - rows: the rows after which no further batch may begin; nil for no limit.
    public mutating func turnGranted(for slice: Duration, rows: Int? = nil, now: Duration) -> [WorkerAction] {
        heard(now: now)
        // Late: the worker has gone on without it, or has put its lease down. It has told so.
        guard turn == .asked, case .queued(let step, let summary, _) = activity else { return [] }
        turn = .granted(until: now + slice, rows: rows.map { rowsWritten + Int64($0) })
        return begin(step, summary)
    }

    /// The coordinator says whether workers write in turns from now on.
    public mutating func turnTakingTold(_ taking: TurnTaking, now: Duration) -> [WorkerAction] {
        heard(now: now)
        guard turnTaking != taking, activity != .stopped else { return [] }
        turnTaking = taking
        guard taking == .none, case .queued(let step, let summary, _) = activity else { return [] }
        return [endTurn()].compactMap { $0 } + begin(step, summary)
    }

    public mutating func refused(reason: String) -> [WorkerAction] {
        guard activity != .stopped else { return [] }
        // The answer to the step under way will be ignored.
        work = nil
        next = nil
        activity = .stopped
        return [.stop(.refused(reason: reason))]
    }

    /// The coordinator does not know this worker.
    public mutating func rejoinRequested(now: Duration) -> [WorkerAction] {
        heard(now: now)
        guard activity != .stopped else { return [] }
        joined = false
        return [.tell(.hello)]
    }

    /// Any other message from the coordinator.
    public mutating func heard(now: Duration) {
        keep(time: now)
        heardAt = now
    }

    /// - Parameter batchRows: the row limit of a batch after a timeout has lowered it; 0 while the job's own limit
    ///   holds.
    public mutating func leaseAssigned(_ lease: Lease, batchRows: Int = 0, now: Duration) -> [WorkerAction] {
        heard(now: now)
        guard activity != .stopped else { return [] }
        // A repeated assignment of the lease in hand changes nothing.
        if let current = work, current.lease == lease { return [] }
        guard !draining else { return [.tell(.leaseReleased(lease))] }
        nextBatchRows = batchRows
        guard let current = work else { return begin(lease) }
        if current.lease.shard == lease.shard {
            guard lease.epoch > current.lease.epoch else { return [] }
            // The coordinator has given up the older lease.
            work?.revoked = true
        }
        next = lease
        guard work?.revoked == true else { return [] }
        return putDownWhatWaits()
    }

    public mutating func leaseRevoked(_ lease: Lease, now: Duration) -> [WorkerAction] {
        heard(now: now)
        if next == lease { next = nil }
        guard work?.lease == lease else { return [] }
        work?.revoked = true
        return putDownWhatWaits()
    }

    /// Puts down a lease that was taken back, if no step is under way.
    private mutating func putDownWhatWaits() -> [WorkerAction] {
        switch activity {
        case .waiting: settle([])
        case .queued: settle(configuration.mode == .rowBased ? [.step(.discard)] : [])
        default: []
        }
    }

    public mutating func drainRequested(now: Duration) -> [WorkerAction] {
        heard(now: now)
        guard !draining, activity != .stopped else { return [] }
        draining = true
        switch activity {
        case .idle: return settle([])
        case .waiting:
            let lease = work?.lease
            return settle(lease.map { [.tell(.leaseReleased($0))] } ?? [])
        case .queued(let step, let summary, _):
            // What is computed is written, without its turn.
            if configuration.mode == .rowBased { return [endTurn()].compactMap { $0 } + begin(step, summary) }
            let lease = work?.lease
            return settle(lease.map { [.tell(.leaseReleased($0))] } ?? [])
        default: return []
        }
    }

    // MARK: - The steps' events

    public mutating func leaseOpened(_ position: Position, now: Duration) -> [WorkerAction] {
        keep(time: now)
        guard activity == .opening, var current = work else { return unexpected() }
        if position.sequence > current.position.sequence, current.position.sequence > 0 {
            // A commit went through although its answer was lost.
            current.failures = 0
            rowsWritten += max(0, position.rowsDone - current.position.rowsDone)
        }
        current.position = position
        let left = Set(position.deferred)
        current.deferrals = current.deferrals.filter { left.contains($0.key) }
        work = current
        guard !current.revoked else { return settle([]) }
        guard !draining else { return settle([.tell(.leaseReleased(current.lease))]) }
        return advance(now: now)
    }

    public mutating func batchRead(_ summary: ReadSummary, now: Duration) -> [WorkerAction] {
        keep(time: now)
        guard activity == .reading, let current = work else { return unexpected() }
        guard !current.revoked else { return settle([.step(.discard)]) }
        guard !draining else { return settle([.step(.discard), .tell(.leaseReleased(current.lease))]) }
        return compute(summary, now: now)
    }

    public mutating func batchComputed(now: Duration) -> [WorkerAction] {
        keep(time: now)
        guard case .computing(let summary) = activity, let current = work else { return unexpected() }
        guard !current.revoked else { return settle([.step(.discard)]) }
        computesQuickly = now - computingSince <= Self.quickComputation
        // A locking read opens a separate transaction, and only the write's answer says whether one is due.
        let readNext = !draining && !summary.exhausted && !lockingIsDue(current)
        // Its rows are locked, in a transaction that others wait for.
        if lockingIsDue(current) {
            return begin(.write(current.lease, current.position, readNext: readNext), summary)
        }
        return enter(.write(current.lease, current.position, readNext: readNext), summary, now: now)
    }

    /// - Parameters:
    ///   - position: the position in the ledger's row after the commit.
    ///   - done: whether the shard is done, as the same transaction has recorded.
    ///   - read: the result of the read in the same round trip, if there was one.
    public mutating func batchCommitted(_ position: Position, done: Bool, read: ReadSummary?, now: Duration)
        -> [WorkerAction]
    {
        keep(time: now)
        switch activity {
        case .applying:
            if read != nil { note(breach: "a set job's batch has read rows") }
        case .writing: break
        case .idle, .opening, .queued, .reading, .computing, .waiting, .stopped: return unexpected()
        }
        guard var current = work else { return unexpected() }
        if position.sequence <= current.position.sequence {
            note(breach: "a commit takes \(current.lease) from \(current.position.sequence) to \(position.sequence)")
        }
        rowsWritten += max(0, position.rowsDone - current.position.rowsDone)
        current.position = position
        current.failures = 0
        current.wait = nil
        current.fault = nil
        current.refusals = 0
        if position.batchRows > 0 { current.batchRows = position.batchRows }
        current.deferrals = Dictionary(
            position.deferred.map { ($0, current.deferrals[$0, default: 0] + 1) }, uniquingKeysWith: max)
        work = current
        let discard: [WorkerAction] = read == nil ? [] : [.step(.discard)]
        if done { return settle(discard + [.tell(.shardDone(current.lease))]) }
        if current.revoked { return settle(discard) }
        if draining { return settle(discard + [.tell(.leaseReleased(current.lease))]) }
        if let read { return compute(read, now: now) }
        return advance(now: now)
    }

    public mutating func stepFailed(_ error: StepError, now: Duration) -> [WorkerAction] {
        keep(time: now)
        switch activity {
        case .opening, .applying, .reading, .computing, .writing: break
        case .idle, .queued, .waiting, .stopped: return unexpected()
        }
        guard var current = work else { return unexpected() }
        let discard: [WorkerAction] = configuration.mode == .rowBased ? [.step(.discard)] : []
        if current.revoked { return settle(discard) }
        let delay: Duration
        switch error.kind {
        case .leaseLost:
            return settle(discard + [.tell(.leaseLost(current.lease))])
        case .unfit:
            return settle(discard + [.tell(.shardFailed(current.lease, error))])
        case .program, .permanent, .stopsRun:
            // Try once more, with a fresh program or on a new connection. A second equal error is no accident.
            guard let identity = error.identity, current.fault != identity else {
                let isSame = error.kind == .program && error.identity != nil
                let last = isSame ? StepError(.permanent, error.message, cause: error.cause) : error
                return settle(discard + [.tell(.shardFailed(current.lease, last))])
            }
            current.fault = identity
            delay = configuration.retry.delay(failures: 1, using: &generator)
        case .fenced:
            current.refusals += 1
            guard current.refusals < Self.refusalLimit else {
                return settle(discard + [.tell(.leaseLost(current.lease))])
            }
            delay = .zero
        case .retryable:
            current.failures += 1
            guard current.failures < configuration.retry.attempts else {
                return settle(discard + [.tell(.shardFailed(current.lease, error))])
            }
            delay = configuration.retry.delay(failures: current.failures, using: &generator)
        case .tooLong:
            delay = .zero
            wait(for: error, &current, now: now)
        case .held, .connectionLost:
            // Not the batch's fault, so this is no failure. But the wait has a limit.
            wait(for: error, &current, now: now)
            guard let wait = current.wait, now - wait.since <= configuration.patience else {
                let words = "\(error.message); it was waited for \(configuration.patience)"
                return settle(
                    discard + [.tell(.shardFailed(current.lease, StepError(error.kind, words, cause: error.cause)))])
            }
            delay = min(Self.pauses.first * (1 << min(wait.tries - 1, 10)), Self.pauses.last)
        }
        if draining { return settle(discard + [.tell(.leaseReleased(current.lease))]) }
        work = current
        activity = .waiting(until: now + delay)
        return discard + [endTurn()].compactMap { $0 }
    }

    private func wait(for error: StepError, _ current: inout Work, now: Duration) {
        let before = current.wait?.kind == error.kind ? current.wait : nil
        current.wait = Wait(
            kind: error.kind, since: before?.since ?? now, reason: error.message, cause: error.told,
            tries: (before?.tries ?? 0) + 1)
    }

    /// Time passed: a heartbeat, a retry or a search for the coordinator may be due.
    public mutating func timePassed(now: Duration) -> [WorkerAction] {
        keep(time: now)
        guard activity != .stopped else { return [] }
        var actions: [WorkerAction] = []
        if case .waiting(let until) = activity, until <= now, let current = work {
            activity = .opening
            actions.append(.step(.open(current.lease, batchRows: current.batchRows)))
        }
        if case .queued(let step, let summary, let since) = activity {
            actions += waited(step, summary, since, now: now)
        }
        if now - heardAt > configuration.giveUpAfter, work == nil {
            activity = .stopped
            return actions + [.stop(.abandoned)]
        }
        if now - heardAt > configuration.silentAfter, now - soughtAt > configuration.silentAfter {
            soughtAt = now
            saidAt = now
            joined = false
            return actions + [.reconnect, .tell(.hello)]
        }
        if now - saidAt >= configuration.heartbeatInterval {
            actions.append(joined ? heartbeat(now: now) : hello(now: now))
            // The wish or its answer may be lost. Where nothing else helps, it is said again.
            if joined, turnTaking == .forPace, turn == .asked { actions.append(.tell(.turnWanted)) }
        }
        return actions
    }

    // MARK: - Queries

    public var held: HeldLease? {
        guard let work, !work.revoked else { return nil }
        return HeldLease(
            lease: work.lease, sequence: work.position.sequence, rowsDone: work.position.rowsDone,
            batchRows: work.position.batchRows)
    }

    /// The wait of the shard in hand; nil while batches advance.
    public var wait: WorkerWait? { work?.wait.map { WorkerWait(words: $0.reason, cause: $0.cause) } }

    /// Whether the machine knows why no batch commits, and bounds the wait by itself.
    public var isExcused: Bool {
        if case .queued = activity, turnTaking == .forPace { return true }
        return work?.wait != nil
    }

    /// The step under way, in a word; `idle` without a lease.
    public var step: String {
        switch activity {
        case .idle: "idle"
        case .opening: "opening"
        case .queued: "queued"
        case .applying: "applying"
        case .reading: "reading"
        case .computing: "computing"
        case .writing: "writing"
        case .waiting: "waiting"
        case .stopped: "stopped"
        }
    }

    // MARK: - Private

    /// Notes a breach: the answer to a step that is not under way. After the machine has stopped, such an answer is
    /// normal.
    private mutating func unexpected(_ event: String = #function) -> [WorkerAction] {
        if activity != .stopped { note(breach: "\(event) while it is \(step)") }
        return []
    }

    private mutating func keep(time now: Duration) {
        if let toldAt, now < toldAt { note(breach: "the time goes back from \(toldAt) to \(now)") }
        toldAt = now
    }

    private mutating func note(breach words: String) { breach = breach ?? words }

    private mutating func heartbeat(now: Duration) -> WorkerAction {
        saidAt = now
        return .tell(.heartbeat(held))
    }

    private mutating func hello(now: Duration) -> WorkerAction {
        saidAt = now
        return .tell(.hello)
    }

    private mutating func begin(_ lease: Lease) -> [WorkerAction] {
        work = Work(lease: lease)
        work?.batchRows = nextBatchRows
        activity = .opening
        return [.step(.open(lease, batchRows: nextBatchRows))]
    }

    /// The next step on the shard in hand.
    private mutating func advance(now: Duration) -> [WorkerAction] {
        guard let current = work else { return [] }
        switch configuration.mode {
        case .setBased: return enter(.apply(current.lease, current.position), nil, now: now)
        case .rowBased:
            let over = endTurnUnlessQuick(now: now)
            activity = .reading
            return over + [.step(.read(current.lease, current.position, locking: lockingIsDue(current)))]
        }
    }

    private mutating func compute(_ summary: ReadSummary, now: Duration) -> [WorkerAction] {
        let over = endTurnUnlessQuick(now: now)
        computingSince = now
        activity = .computing(summary)
        return over + [.step(.compute)]
    }

    // MARK: - Turns

    /// Begins a step that writes, or waits for the turn to do so.
    private mutating func enter(_ step: WorkerStep, _ summary: ReadSummary?, now: Duration) -> [WorkerAction] {
        guard turnTaking != .none, !draining else { return begin(step, summary) }
        if isTurn(now: now) { return begin(step, summary) }
        turn = .asked
        activity = .queued(step, summary, since: now)
        return [.tell(.turnWanted)]
    }

    private mutating func begin(_ step: WorkerStep, _ summary: ReadSummary?) -> [WorkerAction] {
        activity = summary.map { .writing($0) } ?? .applying
        return [.step(step)]
    }

    private func isTurn(now: Duration) -> Bool {
        guard case .granted(let until, let rows) = turn else { return false }
        return now < until && rows.map { rowsWritten < $0 } ?? true
    }

    /// A batch has waited for its turn for a while.
    private mutating func waited(_ step: WorkerStep, _ summary: ReadSummary?, _ since: Duration, now: Duration)
        -> [WorkerAction]
    {
        guard turnTaking == .forPace else {
            guard now - since > Self.turnPatience || now - heardAt > Self.silentTurnPatience else { return [] }
            return [endTurn()].compactMap { $0 } + begin(step, summary)
        }
        // At a low pace a turn may be long in coming. But a coordinator that is gone grants none.
        guard now - heardAt > configuration.giveUpAfter, let lease = work?.lease else { return [] }
        let discard: [WorkerAction] = configuration.mode == .rowBased ? [.step(.discard)] : []
        return settle(discard + [.tell(.leaseReleased(lease))])
    }

    /// While a program computes, nothing of this worker is in flight.
    private mutating func endTurnUnlessQuick(now: Duration) -> [WorkerAction] {
        if isTurn(now: now), computesQuickly { return [] }
        return [endTurn()].compactMap { $0 }
    }

    private mutating func endTurn() -> WorkerAction? {
        guard turn != .none else { return nil }
        turn = .none
        return .tell(.turnEnded)
    }

    private func lockingIsDue(_ current: Work) -> Bool {
        current.deferrals.values.contains { $0 >= configuration.deferralLimit }
    }

    /// Puts down the work in hand, then takes up the next lease or stops.
    private mutating func settle(_ actions: [WorkerAction]) -> [WorkerAction] {
        work = nil
        activity = .idle
        let actions = actions + [endTurn()].compactMap { $0 }
        if draining {
            let unopened: [WorkerAction] = next.map { [.tell(.leaseReleased($0))] } ?? []
            next = nil
            activity = .stopped
            return actions + unopened + [.tell(.goodbye), .stop(.drained)]
        }
        guard let waiting = next else { return actions }
        next = nil
        return actions + begin(waiting)
    }
}
