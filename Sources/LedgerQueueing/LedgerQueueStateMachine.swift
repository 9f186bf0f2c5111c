import DequeModule
package import Dispatching

/// The queue of a coordinator's tasks for the ledger: one task after another, on a connection that may break.
///
/// Methods are events; each returns the actions that follow. The machine does no I/O and never reads a clock: `now` is
/// the time since any fixed moment, and never goes back. `checkInvariants` names an event that its shell must not
/// report.
///
/// A renewal of the ownership goes before all that waits: a task that meets locks again and again would otherwise cost the
/// ownership. A task that met a lock is tried again before the next task; a lease goes behind the others, which need not
/// wait for the lock of one shard's row. After a lost connection, the queue tries to renew the ownership until that works.
/// Then it asks for a reload, since the ledger beats memory. When the ledger refuses the ownership, the queue asks for the
/// run's standing.
package struct LedgerQueueStateMachine: Sendable {
    package struct Configuration: Sendable {
        /// How long the ledger may be away before the coordinator stops. The run can be resumed.
        package var patience: Duration
        /// Retries of a task after a deadlock or a lock timeout.
        package var retries: Int

        package init(patience: Duration = .seconds(600), retries: Int = 10) {
            self.patience = patience
            self.retries = retries
        }
    }

    /// The pause before the first retry of a task; before the n-th retry it is n times as long.
    static let retryPause = Duration.milliseconds(50)
    /// The pauses between two attempts to reach the ledger. Each is twice the one before.
    static let reconnectPauses = (first: Duration.milliseconds(100), longest: Duration.seconds(2))

    /// The machine's current wait.
    ///
    /// - `idle`: leaves by `requested` or `runEnded`, to `asking`.
    /// - `asking`: leaves by `answered`, to the next task or `idle`; by `refused`, to `inquiring`; by `failed`, to
    ///   `retrying`, `reconnecting`, `explaining` or `stopped`, and at the end of the run also to the next task.
    /// - `retrying`: leaves by `pauseEnded`, to `asking` this task or another one.
    /// - `reconnecting`: leaves by `answered`, to the next task; by `refused`, to `inquiring`, and at the end of the
    ///   run to the next task or `idle`; by `failed`, to `away` or `stopped`.
    /// - `away`: leaves by `pauseEnded`, to `reconnecting`.
    /// - `inquiring`: leaves by `standingRead`, to `idle`, the next task, `ending` or `stopped`; by `failed`, to `away` where
    ///   the ledger was lost before, to `reconnecting` or to `stopped`.
    /// - `ending`: the machine has told the coordinator that the run is over. Leaves by `runEnded`, to the next task or
    ///   `idle`.
    /// - `explaining`: leaves by `standingRead` or `failed`, to `stopped`.
    /// - `stopped`: never left. `serviceEnded` leads here from every state.
    enum Phase: Equatable, Sendable {
        case idle
        case asking(LedgerTask, tries: Int)
        case retrying(LedgerTask, tries: Int)
        case reconnecting(Outage)
        case away(Outage)
        case inquiring(Outage?)
        case ending
        case explaining(LedgerFailure)
        case stopped
    }

    struct Outage: Equatable, Sendable {
        var since: Duration
        /// The next pause.
        var pause: Duration
    }

    /// A task that waits for its turn.
    struct Waiting: Equatable, Sendable {
        var task: LedgerTask
        /// The tries that have met a lock.
        var tries = 0
        init(_ task: LedgerTask, tries: Int = 0) { (self.task, self.tries) = (task, tries) }
    }

    package let configuration: Configuration
    var phase: Phase = .idle
    /// The tasks in the order of their turns. At most one is `renew`, which is the first, and one is `note`. The others come
    /// from the dispatching machine: a few for each worker, and one for each shard that its worker leaves.
    var waiting: Deque<Waiting> = []
    /// Dispatching has ended: only tasks of the run's end are left.
    private(set) var isOver = false
    /// The latest time that the shell has reported.
    private var latest = Duration.zero
    /// The first event that the shell must not report, in words.
    private(set) var breach: String?

    package init(configuration: Configuration = Configuration()) {
        self.configuration = configuration
    }

    // MARK: - The coordinator's events

    /// The coordinator has a task for the ledger.
    package mutating func requested(_ task: LedgerTask) -> [LedgerQueueAction] {
        guard phase != .stopped, !isOver || task.isLasting else { return [] }
        if task.isPeriodic, isWaiting(task) { return [] }
        if task == .renew { waiting.prepend(Waiting(task)) } else { waiting.append(Waiting(task)) }
        return phase == .idle ? next() : []
    }

    /// The run is over for this coordinator. Unless the ledger has concluded the run, the queue gives it back.
    package mutating func runEnded(_ outcome: DispatchOutcome) -> [LedgerQueueAction] {
        guard phase != .stopped, !isOver else { return [] }
        isOver = true
        let isFree = phase == .idle || phase == .ending
        waiting.removeAll { !$0.task.isLasting }
        let release: LedgerTask? =
            switch outcome {
            case .concluded: nil
            case .drained, .stopped: .release(cancelled: false)
            case .cancelled: .release(cancelled: true)
            }
        // Who has left is of the least weight, and many workers may have: the run is given back before that is noted.
        let departures = waiting.filter(\.task.isDeparture)
        waiting.removeAll(where: \.task.isDeparture)
        if let release { waiting.append(Waiting(release)) }
        waiting.append(contentsOf: departures)
        return (release == nil ? [.leave] : []) + (isFree ? next() : [])
    }

    /// The coordinator has ended, for any reason.
    package mutating func serviceEnded() {
        phase = .stopped
        waiting.removeAll()
    }

    // MARK: - The ledger's events

    /// The task was done.
    package mutating func answered() -> [LedgerQueueAction] {
        switch phase {
        case .asking(let task, _): return next(after: task)
        case .reconnecting:
            waiting.removeAll { $0.task == .renew }
            if !isOver { waiting.prepend(Waiting(.dispatch(.reload))) }
            return [.noteAway(nil)] + next()
        case .idle, .retrying, .away, .inquiring, .ending, .explaining, .stopped: return mistake("answered")
        }
    }

    /// The ledger says that this coordinator does not own the run any more.
    package mutating func refused() -> [LedgerQueueAction] {
        switch phase {
        // At the end of the run this coordinator gives the run back, so a refusal is fine.
        case .asking where isOver, .reconnecting where isOver: return answered()
        case .asking:
            phase = .inquiring(nil)
            return [.inquire]
        case .reconnecting(let outage):
            phase = .inquiring(outage)
            return [.inquire]
        case .idle, .retrying, .away, .inquiring, .ending, .explaining, .stopped: return mistake("refused")
        }
    }

    /// The run's standing was read from the ledger.
    package mutating func standingRead(_ standing: LedgerStanding) -> [LedgerQueueAction] {
        switch phase {
        case .inquiring(let outage):
            phase = .idle
            let back: [LedgerQueueAction] = outage == nil ? [] : [.noteAway(nil)]
            switch standing {
            case .owned where isOver, .cancelled where isOver, .ended where isOver, .paused where isOver:
                return back + next()
            case .owned:
                // Somebody changed the run's row and changed it back: a reload repeats whatever was refused. Requests
                // from before the reload are void, as after a lost connection.
                waiting.removeAll { !$0.task.isLasting }
                waiting.prepend(Waiting(.dispatch(.reload)))
                return back + [.suspendDispatch] + next()
            case .cancelled:
                phase = .ending
                return back + [.obeyCancel]
            case .paused(let who):
                phase = .ending
                return back + [.obeyPause(by: who)]
            case .ended(let done, let failed):
                phase = .ending
                return back + [.conclude(done: done, failed: failed)]
            case .taken: return stop(.ousted)
            }
        case .explaining(let failure): return stop(.failed(failure))
        case .idle, .asking, .retrying, .reconnecting, .away, .ending, .stopped: return mistake("standingRead")
        }
    }

    /// The last request failed in the ledger or on the way to it.
    package mutating func failed(_ failure: LedgerFailure, now: Duration) -> [LedgerQueueAction] {
        if now < latest { note(breach: "it failed at \(now), after \(latest)") }
        latest = max(latest, now)
        switch phase {
        case .asking(let task, let tries):
            if failure.kind == .busy, tries < configuration.retries, !isOver || task.isLasting {
                return retry(task, tries: tries + 1)
            }
            if isOver { return failedAtTheEnd(task, failure, now: now) }
            switch failure.kind {
            case .busy, .away: return lose(task, failure, now: now)
            case .lasting:
                phase = .explaining(failure)
                return [.inquire]
            case .damage: return stop(.failed(failure))
            }
        case .reconnecting(let outage): return stayAway(outage, failure, now: now)
        case .inquiring(let outage?): return stayAway(outage, failure, now: now)
        case .inquiring(nil):
            switch failure.kind {
            case .busy, .away: return lose(nil, failure, now: now)
            case .lasting, .damage: return stop(.failed(failure))
            }
        case .explaining(let first):
            // A damage of the run explains more than its consequence.
            return stop(.failed(failure.kind == .damage ? failure : first))
        case .idle, .retrying, .away, .ending, .stopped: return mistake("failed")
        }
    }

    /// A pause is over.
    package mutating func pauseEnded() -> [LedgerQueueAction] {
        switch phase {
        case .retrying(let task, let tries):
            putBack(Waiting(task, tries: tries))
            return next()
        case .away(let outage):
            phase = .reconnecting(outage)
            return [.ask(.renew)]
        case .idle, .asking, .reconnecting, .inquiring, .ending, .explaining, .stopped: return mistake("pauseEnded")
        }
    }

    // MARK: - Private

    /// Notes a breach: an event that the machine did not ask for. After the machine has stopped, a late answer is
    /// normal.
    private mutating func mistake(_ event: String) -> [LedgerQueueAction] {
        if phase != .stopped { note(breach: "\(event) was told while it was \(phase)") }
        return []
    }

    private mutating func note(breach words: String) { breach = breach ?? words }

    private mutating func next(after task: LedgerTask? = nil) -> [LedgerQueueAction] {
        var actions: [LedgerQueueAction] = []
        if case .release? = task { actions.append(.leave) }
        guard let next = waiting.popFirst() else {
            phase = .idle
            return actions
        }
        phase = .asking(next.task, tries: next.tries)
        return actions + [.ask(next.task)]
    }

    private func isWaiting(_ task: LedgerTask) -> Bool { waiting.contains { $0.task == task } }

    /// Lets a task wait for its next try.
    private mutating func putBack(_ entry: Waiting) {
        if isOver, !entry.task.isLasting { return }
        // The same task was requested again meanwhile. The tries count on.
        if entry.task.isPeriodic { waiting.removeAll { $0.task == entry.task } }
        if entry.task.isLease { return waiting.append(entry) }
        let isBehindRenewal = entry.task != .renew && waiting.first?.task == .renew
        waiting.insert(entry, at: isBehindRenewal ? 1 : 0)
    }

    private mutating func retry(_ task: LedgerTask, tries: Int) -> [LedgerQueueAction] {
        phase = .retrying(task, tries: tries)
        var actions: [LedgerQueueAction] = [.pause(Self.retryPause * tries)]
        if case .dispatch(.recordLease(let shard, _, _)) = task { actions.insert(.endHolder(shard), at: 0) }
        return actions
    }

    /// The connection is gone, and requests on it are void.
    private mutating func lose(_ task: LedgerTask?, _ failure: LedgerFailure, now: Duration) -> [LedgerQueueAction] {
        waiting.removeAll { !$0.task.isLasting }
        if let task, task.isLasting { waiting.prepend(Waiting(task)) }
        phase = .reconnecting(Outage(since: now, pause: Self.reconnectPauses.first))
        return [.suspendDispatch, .announceLoss(failure), .noteAway(failure), .ask(.renew)]
    }

    private mutating func stayAway(_ outage: Outage, _ failure: LedgerFailure, now: Duration) -> [LedgerQueueAction] {
        if failure.kind == .damage { return stop(.failed(failure)) }
        guard now - outage.since < configuration.patience else { return stop(.away(failure)) }
        let longer = min(outage.pause * 2, Self.reconnectPauses.longest)
        phase = .away(Outage(since: outage.since, pause: longer))
        return [.noteAway(failure), .pause(outage.pause)]
    }

    /// At the end of the run, only the release is worth a wait.
    private mutating func failedAtTheEnd(_ task: LedgerTask, _ failure: LedgerFailure, now: Duration)
        -> [LedgerQueueAction]
    {
        if case .release = task, failure.kind == .busy || failure.kind == .away {
            return lose(task, failure, now: now)
        }
        return [.giveUp(task, failure)] + next(after: task)
    }

    private mutating func stop(_ stop: LedgerStop) -> [LedgerQueueAction] {
        serviceEnded()
        return [.stop(stop)]
    }
}
