import Dispatching
import Ledger
import LedgerQueueing
import Report
import Sharding
import Wire

/// One term of a run's coordinator: everything that a coordinator knows as the owner of the run, and that is worthless
/// for the next owner.
///
/// The leader is a value. Its methods are events, and each returns the actions that follow. It does no I/O and reads no
/// clock: `now` is the time since the coordinator began, and never goes back. It joins the two machines, which know
/// nothing of each other, with the report and the end of the run.
struct RunLeader {
    struct Configuration {
        var job = ""
        var rowsEstimated: Int64 = 0
        /// The rows that earlier terms have done.
        var rowsDone: Int64 = 0
        /// The row limit of a batch after a timeout of an earlier term; 0 without one.
        var batchRows = 0
        /// The OID of the run's table; nil if its storage is not measured.
        var tableOID: UInt32?
        /// The share of HOT updates to expect of the order of work, 0 to 1; 0 if none is expected.
        var expectedHotShare = 0.0
        /// Whether this process spawns workers.
        var hasLocalWorkers = false
        /// How many workers may write at the same time; nil if they ask nobody.
        var inFlight: InFlightControl.Setting?
        /// The rows of a batch, for the first turns of a run whose pace is limited.
        var rowsOfBatch = 1
        /// The limits that somebody has set for the run, as they were when it was opened; nil for none.
        var pace: Pace?
        var dispatch = DispatchStateMachine.Configuration()
        var queue = LedgerQueueStateMachine.Configuration()
    }

    /// The reason why a term is over.
    enum End: Equatable {
        /// The run has ended, or was given back.
        case finished
        case stopped(CoordinatorError)
        case failed(LedgerFailure)
    }

    static let renewInterval = Duration.seconds(1)
    static let noteInterval = Duration.seconds(2)
    /// The table's storage is measured more seldom than workers are noted: it sums the rows of all shards.
    static let measureInterval = Duration.seconds(10)
    static let progressInterval = Duration.milliseconds(200)

    let ownership: Ownership
    let configuration: Configuration
    /// The run's state as this term wrote it last.
    var written: RunState = .running
    var reports: ReportModel
    /// The row limit of a batch after a timeout; 0 without one.
    var batchRows: Int
    /// The reason why local workers ended before they joined, or could not be started, as far as it is known; empty without one.
    var localFault = ""
    /// Why the last local process could not be started; nil after one that could.
    var spawnFault: String?
    /// Whether it drains its workers since somebody asked that the run be paused.
    var isPausing = false
    private(set) var ending = Ending.ahead
    private var machine: DispatchStateMachine
    private var queue: LedgerQueueStateMachine
    private var turns: TurnTable
    private var inFlight: InFlightControl
    /// The limits that somebody has set for the run; nil for none.
    private(set) var pace: Pace?
    private var renewedAt = Duration.zero
    private var notedAt = Duration.zero
    var measuredAt = Duration.zero
    private var shownAt = Duration.zero
    /// The time of the event under way.
    private(set) var now = Duration.zero
    /// The actions of the event under way; empty between two events.
    private var outbox: [LeaderAction] = []

    init(_ ownership: Ownership, _ configuration: Configuration, seed: UInt64) {
        self.ownership = ownership
        self.configuration = configuration
        machine = DispatchStateMachine(configuration: configuration.dispatch, seed: seed)
        queue = LedgerQueueStateMachine(configuration: configuration.queue)
        reports = ReportModel(
            run: ownership.run, job: configuration.job, rowsEstimated: configuration.rowsEstimated,
            rowsDone: configuration.rowsDone, startsWorkers: configuration.hasLocalWorkers, now: .zero)
        batchRows = configuration.batchRows
        inFlight = InFlightControl(configuration.inFlight ?? .fixed(1))
        turns = TurnTable(limit: inFlight.limit, batchRows: configuration.rowsOfBatch)
    }

    // MARK: - Events

    /// The coordinator can hear workers from now on.
    mutating func began(now: Duration) -> [LeaderAction] {
        event(now) { leader in
            leader.obey(leader.configuration.pace)
            leader.request(.dispatch(.reload))
        }
    }

    /// The run is to be drained: workers finish their batches, then the coordinator stops. The run can be resumed.
    mutating func drainRequested(now: Duration) -> [LeaderAction] {
        event(now) { leader in
            leader.reports.windDownBegan(.draining)
            leader.react { $0.drainRequested(now: $1) }
        }
    }

    mutating func timePassed(now: Duration) -> [LeaderAction] {
        event(now) { leader in
            switch leader.ending {
            case .ahead: leader.tick()
            // The database may be away, so the conditions are shown again.
            case .releasing: leader.show()
            case .parting, .recording, .recorded, .over: break
            }
        }
    }

    /// Looks after the workers at the end: they leave by themselves, and those that do not are ended. In the meantime
    /// their last figures are written.
    ///
    /// - Parameters:
    ///   - haveSaidGoodbye: whether no worker is left that could be told anything. Some processes may still be there.
    ///   - areGone: whether no worker is left.
    mutating func workersLookedAfter(haveSaidGoodbye: Bool, areGone: Bool, now: Duration) -> [LeaderAction] {
        event(now) { leader in
            switch leader.ending.workersLookedAfter(haveSaidGoodbye: haveSaidGoodbye, areGone: areGone, now: now) {
            case .writeFigures: leader.emit(.writeFigures(leader.lastFigures))
            case .end(let error): leader.end(error.map { .stopped($0) } ?? .finished)
            case nil: break
            }
        }
    }

    /// The workers' last figures are written, or cannot be.
    mutating func figuresWritten(now: Duration) -> [LeaderAction] { event(now) { $0.ending.figuresWritten() } }

    /// The coordinator ends for a reason that the leader does not know.
    mutating func serviceEnded() {
        ending.ended()
        queue.serviceEnded()
    }

    // MARK: - Queries

    /// Whether local workers that are missing should be spawned.
    var wantsWorkers: Bool {
        ending == .ahead && !machine.drainAsked && (machine.phase == .dispatching || machine.phase == .loading)
    }
    /// Whether the workers are to leave, or soon will be.
    var isWindingDown: Bool { ending != .ahead || machine.drainAsked }
    var turnTaking: TurnTaking { pace != nil ? .forPace : configuration.inFlight != nil ? .forSpeed : .none }
    var isDispatching: Bool { machine.phase == .dispatching }

    /// The report of the run at `now`.
    ///
    /// - Parameter counts: the ledger's counts of shards; nil for the machine's counts.
    func report(now: Duration, counts: ShardCounts? = nil) -> RunReport {
        var reports = reports
        reports.shardsCounted(counts ?? machine.counts)
        var report = reports.report(now: now)
        if turnTaking != .none {
            report.inFlight = InFlight(
                limit: min(turns.limit, max(1, reports.workerCount)), writing: turns.inFlight, waiting: turns.waiting)
        }
        return report
    }

    // MARK: - Inside an event

    mutating func event(_ now: Duration, _ body: (inout Self) -> Void) -> [LeaderAction] {
        assert(outbox.isEmpty && now >= self.now, "\(outbox) is left over, or \(now) is before \(self.now)")
        self.now = now
        body(&self)
        defer { outbox.removeAll() }
        return outbox
    }

    mutating func emit(_ action: LeaderAction) { outbox.append(action) }

    mutating func react(_ event: (inout DispatchStateMachine, Duration) -> [DispatchAction]) {
        let actions = event(&machine, now)
        machine.assertInvariants()
        for action in actions { perform(action) }
    }

    mutating func request(_ task: LedgerTask) { reactToLedger { $0.requested(task) } }

    mutating func reactToLedger(_ event: (inout LedgerQueueStateMachine) -> [LedgerQueueAction]) {
        let actions = event(&queue)
        queue.assertInvariants()
        for action in actions { perform(action) }
    }

    /// The dispatching machine has finished, or the ledger has ended the run.
    mutating func conclude(_ outcome: DispatchOutcome) {
        let reason: CoordinatorError? = if case .stopped(let reason) = outcome { .cannotGoOn(reason) } else { nil }
        guard ending.begun(reason, now: now) else { return }
        emit(.dismissAll)
        // The ledger has written the state together with the last shard, by its own count.
        if case .concluded(let done, let failed) = outcome {
            written = failed == 0 ? .complete : done > 0 ? .partial : .failed
        }
        reactToLedger { $0.runEnded(outcome) }
    }

    /// The ledger has the run back, or could not take it back.
    mutating func released() { ending.released() }

    mutating func end(_ end: End) {
        guard ending != .over else { return }
        serviceEnded()
        emit(.end(end))
    }

    mutating func suspendDispatch() { machine.ledgerLost() }

    mutating func isBelieved(_ worker: WorkerID, toStopAt lease: Lease) -> Bool {
        machine.isBelieved(worker, toStopAt: lease)
    }

    func isLeasing(_ worker: WorkerID) -> Bool { machine.isLeasing(worker) }

    private mutating func perform(_ action: DispatchAction) {
        switch action {
        case .ledger(let task): request(.dispatch(task))
        case .tell(let worker, let instruction): emit(.send(message(for: instruction), to: worker))
        case .dismiss(let worker):
            emit(.dismiss(worker))
            forget(worker)
        case .finish(let outcome): conclude(outcome)
        }
    }

    private func message(for instruction: DispatchAction.Instruction) -> CoordinatorMessage {
        switch instruction {
        case .assign(let lease): .assign(lease, batchRows: batchRows)
        case .revoke(let lease): .revoke(lease)
        case .rejoin: .rejoin
        case .drain: .drain
        }
    }

    /// Lets an event change whose turn it is to write, and tells those whose turn it is.
    mutating func turn(_ event: (inout TurnTable, Duration) -> [TurnTable.Grant]) {
        let grants = event(&turns, now)
        assert(turns.checkInvariants() == nil, turns.checkInvariants() ?? "")
        for grant in grants { emit(.send(.turn(slice: grant.slice, rows: grant.rows), to: grant.worker)) }
    }

    /// Follows the limits that somebody has set: faster at once, slower when each worker's batch is written.
    mutating func obey(_ pace: Pace?) {
        guard pace != self.pace else { return }
        let before = turnTaking
        self.pace = pace
        inFlight.interrupted()
        emit(.announce(.paceChanged(pace)))
        reports.paced(pace, now: now)
        turn { $0.paced(pace?.rowsPerSecond, now: $1) }
        let limit = turnLimit
        turn { $0.limited(to: limit, now: $1) }
        machine.paced(pace != nil, now: now)
        if turnTaking != before { emit(.changeTurns(turnTaking)) }
    }

    /// Where the number of those that write is limited, a long batch does not let others in.
    mutating func noteStep(of worker: WorkerID, _ step: String) {
        guard pace?.writers != nil, Self.writingSteps.contains(step) else { return }
        turns.isWriting(worker, for: Self.heartbeatPatience, now: now)
    }

    /// The steps of a worker in which its batch is in the server.
    private static let writingSteps: Set<String> = ["applying", "writing"]
    /// Within this time a worker that writes is heard again.
    private static let heartbeatPatience = Duration.seconds(2)

    /// How many may write at a time. Where nobody has a reason to limit that, all may.
    private var turnLimit: Int {
        min(configuration.inFlight == nil ? .max : inFlight.limit, pace?.writers ?? .max)
    }

    private mutating func tick() {
        react { $0.timePassed(now: $1) }
        // A limited run tells nothing of what the server could do.
        if pace == nil {
            inFlight.measured(
                rows: reports.rowsDone, waiting: turns.waiting, workers: reports.workerCount, now: now)
        }
        let limit = turnLimit
        turn { $0.limited(to: limit, now: $1) }
        if now - renewedAt >= Self.renewInterval {
            renewedAt = now
            request(.renew)
        }
        if now - notedAt >= Self.noteInterval {
            notedAt = now
            request(.note)
        }
        show()
    }

    private mutating func show() {
        guard now - shownAt >= Self.progressInterval else { return }
        shownAt = now
        emit(.announce(.progressed(report(now: now))))
    }
}
