import Dispatching
import Ledger
import LedgerQueueing
import Report
import Sharding
import Wire

/// One term of a run's coordinator: everything that a coordinator knows by being the run's owner, and that is worth nothing
/// to the next.
///
/// It is a value. Methods are events; each returns the actions that follow. It does no I/O and reads no clock: `now` is the
/// time since the coordinator began, and never goes back. It joins the two machines, which know nothing of each other, with
/// the figures for people and the end of the run.
struct RunLeader {
    struct Configuration {
        var job = ""
        var rowsEstimated: Int64 = 0
        /// Rows that earlier terms have done.
        var rowsDone: Int64 = 0
        /// Rows that a batch may have, when a timeout has made batches smaller before; 0 otherwise.
        var batchRows = 0
        /// OID of the run's table; nil where its storage is not measured.
        var tableOID: UInt32?
        /// Share of HOT updates that the order of work should lead to, 0 to 1; 0 where none is expected.
        var expectedHotShare = 0.0
        /// Whether this process spawns workers itself.
        var hasLocalWorkers = false
        var dispatch = DispatchStateMachine.Configuration()
        var queue = LedgerQueueStateMachine.Configuration()
    }

    /// Why a term is over.
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
    /// The run's state as this term has last written it.
    var written: RunState = .running
    var reports: ReportModel
    /// Rows that a batch may have, when a timeout has made batches smaller; 0 otherwise.
    var batchRows: Int
    /// Why workers of this process ended before they joined, as far as it is known; empty before.
    var localFault = ""
    private(set) var ending = Ending.ahead
    private var machine: DispatchStateMachine
    private var queue: LedgerQueueStateMachine
    private var renewedAt = Duration.zero
    private var notedAt = Duration.zero
    var measuredAt = Duration.zero
    private var shownAt = Duration.zero
    /// The time of the event under way.
    private(set) var now = Duration.zero
    /// What follows from the event under way; empty between two events.
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
    }

    // MARK: - Events

    /// Workers can be heard.
    mutating func began(now: Duration) -> [LeaderAction] {
        event(now) { $0.request(.dispatch(.reload)) }
    }

    /// Ask the workers to finish their batches, then stop. The run can be resumed.
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
            // The database may be away.
            case .releasing: leader.show()
            case .parting, .recording, .recorded, .over: break
            }
        }
    }

    /// Workers leave by themselves; the ones that do not are ended. Meanwhile their last figures are written.
    ///
    /// - Parameters:
    ///   - haveSaidGoodbye: no worker is left that could be told anything; some processes may still be there.
    ///   - areGone: no worker is left.
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

    /// The coordinator ends, for a reason of its own.
    mutating func serviceEnded() {
        ending.ended()
        queue.serviceEnded()
    }

    // MARK: - Queries

    /// Whether local workers that are missing should be spawned.
    var wantsWorkers: Bool { ending == .ahead && (machine.phase == .dispatching || machine.phase == .loading) }
    var isDispatching: Bool { machine.phase == .dispatching }

    /// How far the run is at `now`.
    ///
    /// - Parameter counts: by the ledger; nil for what the machine knows.
    func report(now: Duration, counts: ShardCounts? = nil) -> RunReport {
        var reports = reports
        reports.shardsCounted(counts ?? machine.counts)
        return reports.report(now: now)
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
        // Written with the last shard, by the ledger's own count.
        if case .concluded(let done, let failed) = outcome {
            written = failed == 0 ? .complete : done > 0 ? .partial : .failed
        }
        reactToLedger { $0.runEnded(outcome) }
    }

    /// The ledger has the run back, as far as it can.
    mutating func released() { ending.released() }

    mutating func end(_ end: End) {
        guard ending != .over else { return }
        serviceEnded()
        emit(.end(end))
    }

    mutating func suspendDispatch() { machine.ledgerLost() }

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

    private mutating func tick() {
        react { $0.timePassed(now: $1) }
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
