import DequeModule
import OrderedCollections
public import Sharding

/// The coordinator's state machine: which worker may advance which shard.
///
/// Methods are events; each returns the actions that follow. The machine does no I/O and never reads a clock: `now` is
/// the time since any fixed moment, and never goes back. What it holds is a copy of the ledger for speed; wherever the
/// two may differ it asks the ledger again, and the ledger wins.
///
/// Workers' messages may be late, lost or repeated, and a reload may overtake an answer of the ledger: the machine
/// ignores these. `checkInvariants` names an event that its shell must not report.
public struct DispatchStateMachine: Sendable {
    public struct Configuration: Sendable {
        /// A worker that is silent for longer counts as dead, and its leases as expired.
        public var leaseDuration: Duration
        /// A lease without a new batch for longer is taken back even if its worker is heard. Must exceed the longest
        /// batch: statement timeout plus compute timeout.
        public var stallAfter: Duration
        /// How long a worker may leave a lease out of its heartbeats before the ledger is asked about it.
        public var assignGrace: Duration
        /// How long the run waits for a fit worker once only workers are left that get no more leases. A local worker
        /// that died is replaced in less.
        public var misfitGrace: Duration
        public var retry: RetryPolicy

        public init(
            leaseDuration: Duration = .seconds(10), stallAfter: Duration = .seconds(300),
            assignGrace: Duration = .seconds(3), misfitGrace: Duration = .seconds(30),
            retry: RetryPolicy = RetryPolicy()
        ) {
            self.leaseDuration = leaseDuration
            self.stallAfter = stallAfter
            self.assignGrace = assignGrace
            self.misfitGrace = misfitGrace
            self.retry = retry
        }
    }

    /// The machine's phase.
    ///
    /// - `loading`: leaves by `shardsLoaded`, to `dispatching`, or to `draining` when that was asked for meanwhile.
    /// - `dispatching`: leaves by `drainRequested`, `cancelRequested` or `stopRequested`, and by `attemptReported` or
    ///   `timePassed` when no worker is fit for the job, to `draining`; when nothing is left to dispatch, to `concluding`; by `ledgerLost`, to `loading`.
    /// - `draining`: leaves when no lease is out, to `finished`; by `ledgerLost`, to `loading`.
    /// - `concluding`: leaves by `runConcluded`, to `finished`, or to `loading` when a shard is open after all; by
    ///   `ledgerLost`, to `loading`.
    /// - `finished`: never left.
    public enum Phase: Equatable, Sendable {
        case loading
        case dispatching
        case draining
        case concluding
        case finished
    }

    /// The machine's knowledge of a shard. From every phase, `shardsLoaded` leads to the ledger's state of the shard.
    ///
    /// - `pending`: leaves by a grant, to `granting`.
    /// - `granting`: leaves by `leaseRecorded`, to `leased`, or to `recording` when the worker has left or nothing is
    ///   dispatched any more; by `leaseRefused`, to `asking`.
    /// - `leased`: leaves by an attempt's end, to `recording`; by `shardReportedDone` or `leaseReportedLost`, to
    ///   `asking`; by `shardRead`, to the ledger's state.
    /// - `recording`: leaves by `attemptRecorded`, to `pending`, `failed` or `done`; by `shardRead`, to the ledger's
    ///   state.
    /// - `asking`: leaves by `shardRead`, to the ledger's state.
    /// - `done`, `failed`: left only by `shardsLoaded`.
    enum ShardPhase: Equatable, Sendable {
        case pending(notBefore: Duration)
        case granting(WorkerID)
        case leased(Holding)
        case recording(Lease, WorkerID)
        case asking
        case done
        case failed
    }

    struct Holding: Equatable, Sendable {
        var worker: WorkerID
        var lease: Lease
        var sequence: Int64
        var advancedAt: Duration
        /// The time when the lease was assigned, or when its worker last listed it.
        var listedAt: Duration
        /// The batches that the ledger has told of, and when it first did; when it was asked last.
        var provenSequence: Int64
        var provenAt: Duration
        var askedAt: Duration

        init(worker: WorkerID, lease: Lease, sequence: Int64, now: Duration) {
            self.worker = worker
            self.lease = lease
            (self.sequence, provenSequence) = (sequence, sequence)
            (advancedAt, listedAt, provenAt, askedAt) = (now, now, now, now)
        }
    }

    struct ShardEntry: Sendable {
        var phase: ShardPhase
        var epoch: Epoch
    }

    struct WorkerEntry: Sendable {
        var credit: Int
        var seenAt: Duration
        var shards: Set<ShardID> = []
        var draining = false
        /// Leases in a row that the worker was unfit for.
        var misfits = 0
        /// The worker gets no lease before this time.
        var notBefore = Duration.zero
        var isSetAside: Bool { misfits >= DispatchStateMachine.misfitLimit }
    }

    /// Leases in a row after which an unfit worker gets no more.
    static let misfitLimit = 3
    /// More attempts than any shard has, for an end that may not fail it.
    static let anyAttempts = Int(Int32.max)

    public let configuration: Configuration
    public internal(set) var phase: Phase = .loading
    private var cancelled = false
    /// The reason why no shard can go on.
    private var stopReason: String?
    public private(set) var drainAsked = false
    /// The error of the last attempt that its worker was unfit for.
    var misfit: String?
    /// The time since which all workers are set aside; nil while one is fit, or none is there.
    var misfitSince: Duration?
    var generator: SeededGenerator
    var trust = WorkerTrust()
    private(set) var isPaced = false
    var shards = ShardTable()
    var workers: OrderedDictionary<WorkerID, WorkerEntry> = [:]
    /// Shards that may be granted now, oldest first.
    var ready: Deque<ShardID> = []
    /// Pending shards whose backoff has not passed yet.
    var delayed: Set<ShardID> = []
    /// The first event that the shell must not report, in words.
    private(set) var breach: String?

    public init(configuration: Configuration = Configuration(), seed: UInt64) {
        self.configuration = configuration
        generator = SeededGenerator(seed: seed)
    }

    // MARK: - The ledger's events

    /// All shards of the run were read. This happens at the start and after every lost connection: the ledger beats
    /// memory.
    public mutating func shardsLoaded(_ records: [ShardRecord], now: Duration) -> [DispatchAction] {
        guard phase == .loading || phase == .dispatching || phase == .draining else { return [] }
        var actions: [DispatchAction] = []
        let before = shards
        shards.removeAll()
        ready.removeAll()
        delayed.removeAll()
        for id in workers.keys { workers[id]?.shards.removeAll() }
        for record in records.sorted(by: { $0.id < $1.id }) {
            if case .leased(let holding)? = before[record.id]?.phase, matches(record, holding),
                workers[holding.worker] != nil
            {
                // No batch could commit while the ledger was away.
                var holding = holding
                holding.advancedAt = now
                holding.listedAt = now
                holding.provenAt = now
                shards[record.id] = ShardEntry(phase: .leased(holding), epoch: record.epoch)
                workers[holding.worker]?.shards.insert(record.id)
            } else {
                if case .leased(let holding)? = before[record.id]?.phase, workers[holding.worker] != nil {
                    actions.append(.tell(holding.worker, .revoke(holding.lease)))
                }
                shards[record.id] = ShardEntry(phase: .asking, epoch: record.epoch)
                adopt(record, after: before[record.id], now: now)
            }
        }
        if shards.count != records.count || (!before.isEmpty && shards.count != before.count) {
            note(breach: "\(records.count) rows of the ledger are \(shards.count) shards, and were \(before.count)")
        }
        if phase == .loading { phase = drainAsked ? .draining : .dispatching }
        return actions + proceed(now: now)
    }

    /// The ledger took the lease.
    public mutating func leaseRecorded(_ lease: Lease, worker: WorkerID, sequence: Int64, now: Duration)
        -> [DispatchAction]
    {
        know(lease.shard)
        guard case .granting(worker)? = shards[lease.shard]?.phase else { return [] }
        if let epoch = shards[lease.shard]?.epoch, lease.epoch != epoch.next {
            note(breach: "\(lease) was recorded after epoch \(epoch)")
        }
        shards[lease.shard]?.epoch = lease.epoch
        // The worker may have been dismissed, and even have joined again: its new entry does not list the shard.
        guard let entry = workers[worker], entry.shards.contains(lease.shard), phase == .dispatching else {
            shards[lease.shard]?.phase = .recording(lease, worker)
            workers[worker]?.shards.remove(lease.shard)
            return [record(lease, of: worker, AttemptEnd(.released))]
        }
        shards[lease.shard]?.phase = .leased(
            Holding(worker: worker, lease: lease, sequence: sequence, now: now))
        return [.tell(worker, .assign(lease))]
    }

    /// The ledger has another epoch or state for the shard than the machine thought.
    public mutating func leaseRefused(_ shard: ShardID, worker: WorkerID, now: Duration) -> [DispatchAction] {
        know(shard)
        guard case .granting(worker)? = shards[shard]?.phase else { return [] }
        workers[worker]?.shards.remove(shard)
        shards[shard]?.phase = .asking
        return [.ledger(.confirm(shard))]
    }

    /// The ledger closed the attempt and decided the shard's state.
    public mutating func attemptRecorded(_ lease: Lease, state: ShardState, failures: Int, now: Duration)
        -> [DispatchAction]
    {
        know(lease.shard)
        guard case .recording(lease, _)? = shards[lease.shard]?.phase else { return [] }
        switch state {
        case .failed: close(lease.shard, as: .failed)
        case .done: close(lease.shard, as: .done)
        case .pending, .running:
            let delay = failures > 0 ? configuration.retry.delay(failures: failures, using: &generator) : .zero
            postpone(lease.shard, until: now + delay, now: now)
        }
        return proceed(now: now)
    }

    /// The shard's row as the ledger has it.
    public mutating func shardRead(_ record: ShardRecord, now: Duration) -> [DispatchAction] {
        know(record.id)
        judge(record, now: now)
        guard let entry = shards[record.id] else { return [] }
        switch entry.phase {
        case .leased(var holding):
            if matches(record, holding) {
                // The ledger confirms a lease that the worker does not list: the assignment was lost.
                holding.listedAt = now
                if record.sequence > holding.provenSequence {
                    (holding.provenSequence, holding.provenAt) = (record.sequence, now)
                }
                shards[record.id]?.phase = .leased(holding)
                return [.tell(holding.worker, .assign(holding.lease))]
            }
            workers[holding.worker]?.shards.remove(record.id)
            adopt(record, now: now)
        case .recording, .asking:
            adopt(record, now: now)
        case .pending, .granting, .done, .failed:
            return []
        }
        return proceed(now: now)
    }

    /// The ledger counted the shards of the run.
    public mutating func runConcluded(done: Int, failed: Int, open: Int, now: Duration) -> [DispatchAction] {
        guard phase == .concluding else { return [] }
        guard open == 0 else {
            phase = .loading
            return [.ledger(.reload)]
        }
        phase = .finished
        return workers.keys.map { .tell($0, .drain) } + [.finish(.concluded(done: done, failed: failed))]
    }

    /// The connection to the ledger broke; requests under way are void. The ledger's queue reconnects, then reloads all
    /// shards.
    public mutating func ledgerLost() {
        guard phase != .finished else { return }
        phase = .loading
    }

    // MARK: - The workers' events

    /// A worker said HELLO. Saying it again, after a reconnect, keeps its leases.
    public mutating func workerJoined(
        _ worker: WorkerID, credit: Int, origin: WorkerOrigin = .spawned, now: Duration
    ) -> [DispatchAction] {
        trust.joined(worker, origin)
        let credit = max(origin == .spawned ? credit : min(credit, WorkerTrust.creditLimit), 1)
        if workers[worker] == nil {
            workers[worker] = WorkerEntry(credit: credit, seenAt: now)
        } else {
            workers[worker]?.credit = credit
            workers[worker]?.seenAt = now
        }
        if phase == .draining || phase == .finished { return [.tell(worker, .drain)] }
        return proceed(now: now)
    }

    /// A worker reported its leases. A lease of this worker that the report leaves out is looked up in the ledger.
    ///
    /// - Parameter excused: the worker knows why no batch commits, and bounds the wait by itself.
    public mutating func workerReported(
        _ worker: WorkerID, held: [HeldLease], excused: Bool = false, now: Duration
    ) -> [DispatchAction] {
        guard let entry = workers[worker] else { return [.tell(worker, .rejoin)] }
        workers[worker]?.seenAt = now
        var actions: [DispatchAction] = []
        for item in held {
            guard case .leased(var holding)? = shards[item.lease.shard]?.phase, holding.worker == worker,
                holding.lease == item.lease
            else {
                if isSettled(item.lease) { actions.append(.tell(worker, .revoke(item.lease))) }
                continue
            }
            holding.listedAt = now
            if item.sequence > holding.sequence {
                holding.sequence = item.sequence
                holding.advancedAt = now
                // Another's word is proved by the ledger.
                if trust.isSpawned(worker) { workers[worker]?.misfits = 0 }
            }
            if excused { holding.advancedAt = now }
            shards[item.lease.shard]?.phase = .leased(holding)
        }
        for shard in entry.shards.sorted() {
            guard case .leased(var holding)? = shards[shard]?.phase,
                now - holding.listedAt > configuration.assignGrace
            else { continue }
            // Ask once in a grace period, not at every heartbeat.
            holding.listedAt = now
            shards[shard]?.phase = .leased(holding)
            actions.append(.ledger(.confirm(shard)))
        }
        if entry.draining || phase == .draining || phase == .finished { actions.append(.tell(worker, .drain)) }
        return actions + proceed(now: now)
    }

    /// A worker says that the shard's last batch has committed. The ledger is asked: a report alone proves nothing.
    public mutating func shardReportedDone(_ lease: Lease, worker: WorkerID, now: Duration) -> [DispatchAction] {
        heard(worker, now: now)
        guard case .leased(let holding)? = shards[lease.shard]?.phase, holding.worker == worker, holding.lease == lease
        else { return [] }
        workers[worker]?.shards.remove(lease.shard)
        shards[lease.shard]?.phase = .asking
        trust.claimed(lease, by: worker)
        return [.ledger(.confirm(lease.shard))] + proceed(now: now)
    }

    /// A worker says that its attempt has ended early: an error, or a lease given back.
    public mutating func attemptReported(_ lease: Lease, worker: WorkerID, _ end: AttemptEnd, now: Duration)
        -> [DispatchAction]
    {
        heard(worker, now: now)
        if end.outcome == .expired || end.outcome == .stalled {
            note(breach: "\(worker) says of itself that it has \(end.outcome.rawValue)")
        }
        // A worker gives a lease back only when it is about to leave.
        if end.outcome == .released { workers[worker]?.draining = true }
        if end.outcome == .unfit, var entry = workers[worker] {
            entry.misfits += 1
            misfit = end.error
            entry.notBefore = now + configuration.retry.delay(failures: entry.misfits, using: &generator)
            workers[worker] = entry
        }
        guard case .leased(let holding)? = shards[lease.shard]?.phase, holding.worker == worker, holding.lease == lease
        else { return [] }
        let actions = self.end(holding, with: end)
        if end.outcome == .unfit, hasOnlyMisfits { return actions + stopForMisfits(now: now) }
        return actions + proceed(now: now)
    }

    /// The fence refused a worker: the shard belongs, or should belong, to another one.
    public mutating func leaseReportedLost(_ lease: Lease, worker: WorkerID, now: Duration) -> [DispatchAction] {
        shardReportedDone(lease, worker: worker, now: now)
    }

    /// A worker said goodbye, or its process has exited. The leases that it still held end as `end`.
    public mutating func workerLeft(_ worker: WorkerID, as end: AttemptEnd = AttemptEnd(.released), now: Duration)
        -> [DispatchAction]
    {
        guard let entry = workers.removeValue(forKey: worker) else { return [] }
        defer { trust.left(worker) }
        return take(back: entry, with: end) + proceed(now: now)
    }

    // MARK: - The time and the operator

    /// Whether somebody has limited the run's pace: then a worker may wait for its turn for any time, and a lease without a
    /// batch proves nothing.
    public mutating func paced(_ isPaced: Bool, now: Duration) {
        self.isPaced = isPaced
        for shard in shards.entries.keys {
            guard case .leased(var holding)? = shards[shard]?.phase else { continue }
            holding.provenAt = now
            shards[shard]?.phase = .leased(holding)
        }
    }

    /// Time passed: workers may be dead, leases stalled, retries due.
    public mutating func timePassed(now: Duration) -> [DispatchAction] {
        guard phase != .finished else { return [] }
        var actions: [DispatchAction] = []
        for (worker, entry) in workers where now - entry.seenAt > configuration.leaseDuration {
            workers.removeValue(forKey: worker)
            actions.append(.dismiss(worker))
            let silence = "the worker was silent for \(configuration.leaseDuration)"
            actions += take(back: entry, with: AttemptEnd(.expired, error: silence))
            trust.left(worker)
        }
        // The stall watch stands still while the ledger is away.
        for worker in workers.values.elements where phase != .loading {
            for shard in worker.shards.sorted() {
                guard case .leased(let holding)? = shards[shard]?.phase else { continue }
                guard now - holding.advancedAt > configuration.stallAfter else {
                    actions += prove(holding, now: now)
                    continue
                }
                let stall = "no batch committed for \(configuration.stallAfter)"
                actions.append(.tell(holding.worker, .revoke(holding.lease)))
                actions += end(holding, with: AttemptEnd(.stalled, error: stall))
            }
        }
        if isWaitingInVain(now: now) { return actions + stopForMisfits(now: now) }
        return actions + proceed(now: now)
    }

    /// Finish the batches in hand and stop; the run can be resumed.
    public mutating func drainRequested(now: Duration) -> [DispatchAction] {
        guard phase != .finished, !drainAsked else { return [] }
        drainAsked = true
        // In `concluding`, the pending request may have ended the run: its answer decides.
        if phase == .dispatching { phase = .draining }
        for worker in workers.keys { workers[worker]?.draining = true }
        return workers.keys.map { .tell($0, .drain) } + proceed(now: now)
    }

    /// No shard can go on: finish the batches in hand and stop; the run can be resumed once the reason is gone.
    public mutating func stopRequested(reason: String, now: Duration) -> [DispatchAction] {
        guard phase != .finished else { return [] }
        stopReason = stopReason ?? reason
        return drainRequested(now: now)
    }

    /// Finish the batches in hand and end the run for good.
    public mutating func cancelRequested(now: Duration) -> [DispatchAction] {
        cancelled = true
        return drainRequested(now: now)
    }

    // MARK: - Queries

    /// Numbers of shards by state, as the machine knows them: `granting` counts as pending, `recording` and `asking` as
    /// running.
    public var counts: ShardCounts { shards.counts }

    /// The leases that workers hold, as far as the machine knows.
    public var leases: [(worker: WorkerID, lease: Lease)] {
        shards.entries.values.compactMap { entry in
            guard case .leased(let holding) = entry.phase else { return nil }
            return (holding.worker, holding.lease)
        }
    }

    // MARK: - Private

    private mutating func proceed(now: Duration) -> [DispatchAction] {
        switch phase {
        case .loading, .concluding, .finished: return []
        case .draining:
            guard shards.busy == 0 else { return [] }
            phase = .finished
            if cancelled { return [.finish(.cancelled)] }
            return [.finish(stopReason.map { .stopped(reason: $0) } ?? .drained)]
        case .dispatching:
            guard shards.counts.open > 0 else {
                phase = .concluding
                return [.ledger(.conclude)]
            }
            return grant(now: now)
        }
    }

    private mutating func grant(now: Duration) -> [DispatchAction] {
        for shard in delayed.sorted() {
            guard case .pending(let notBefore)? = shards[shard]?.phase else { continue }
            if notBefore <= now {
                delayed.remove(shard)
                ready.append(shard)
            }
        }
        var actions: [DispatchAction] = []
        for (worker, entry) in workers where !entry.draining && !entry.isSetAside && entry.notBefore <= now {
            for _ in 0..<max(entry.credit - entry.shards.count, 0) {
                if ready.isEmpty { return actions }
                guard let shard = popReady(for: worker, now: now), let epoch = shards[shard]?.epoch else { break }
                shards[shard]?.phase = .granting(worker)
                workers[worker]?.shards.insert(shard)
                actions.append(.ledger(.recordLease(shard, worker: worker, after: epoch)))
            }
        }
        return actions
    }

    /// Takes a shard's state from a reload, for a shard without a worker here. If the ledger still agrees with the
    /// state before, the shard goes on waiting: for the end of its backoff, or for the record of its attempt's end,
    /// which the queue still holds.
    private mutating func adopt(_ record: ShardRecord, after before: ShardEntry?, now: Duration) {
        guard let before, before.epoch == record.epoch else { return adopt(record, now: now) }
        switch (before.phase, record.state) {
        case (.pending(let notBefore), .pending): postpone(record.id, until: notBefore, now: now)
        case (.recording(let lease, let worker), .running) where record.owner == worker:
            shards[record.id]?.phase = .recording(lease, worker)
        default: adopt(record, now: now)
        }
    }

    /// Takes a shard's state from the ledger, for a shard without a worker here.
    private mutating func adopt(_ record: ShardRecord, now: Duration) {
        shards[record.id]?.epoch = record.epoch
        switch record.state {
        case .done: close(record.id, as: .done)
        case .failed: close(record.id, as: .failed)
        // A running shard here has a foreign holder: the next lease's epoch shuts it out.
        case .pending, .running: postpone(record.id, until: now, now: now)
        }
    }

    private mutating func postpone(_ shard: ShardID, until moment: Duration, now: Duration) {
        shards[shard]?.phase = .pending(notBefore: moment)
        if moment <= now { ready.append(shard) } else { delayed.insert(shard) }
    }

    private mutating func close(_ shard: ShardID, as phase: ShardPhase) {
        shards[shard]?.phase = phase
    }

    mutating func end(_ holding: Holding, with end: AttemptEnd) -> [DispatchAction] {
        workers[holding.worker]?.shards.remove(holding.lease.shard)
        shards[holding.lease.shard]?.phase = .recording(holding.lease, holding.worker)
        return [record(holding.lease, of: holding.worker, end)]
    }

    private mutating func take(back entry: WorkerEntry, with end: AttemptEnd) -> [DispatchAction] {
        entry.shards.sorted().flatMap { shard -> [DispatchAction] in
            // A shard in `granting` is settled by `leaseRecorded`, which no longer finds the worker.
            guard case .leased(let holding)? = shards[shard]?.phase else { return [] }
            return self.end(holding, with: end)
        }
    }

    private mutating func record(_ lease: Lease, of worker: WorkerID, _ end: AttemptEnd) -> DispatchAction {
        guard end.outcome.countsAgainstShard else {
            return .ledger(.recordAttempt(lease, worker: worker, end, attempts: 0))
        }
        guard !mayFail(lease.shard, by: worker) else {
            return .ledger(.recordAttempt(lease, worker: worker, end, attempts: configuration.retry.attempts))
        }
        var end = end
        end.permanent = false
        return .ledger(.recordAttempt(lease, worker: worker, end, attempts: Self.anyAttempts))
    }

    /// Notes a breach when the ledger answers about a shard that is not in the run.
    private mutating func know(_ shard: ShardID) {
        if shards[shard] == nil { note(breach: "the ledger answers about shard \(shard), which is none of the run") }
    }

    private mutating func note(breach words: String) { breach = breach ?? words }

    private mutating func heard(_ worker: WorkerID, now: Duration) {
        workers[worker]?.seenAt = now
    }

    private func matches(_ record: ShardRecord, _ holding: Holding) -> Bool {
        record.state == .running && record.epoch == holding.lease.epoch && record.owner == holding.worker
    }

    /// Whether the machine knows that the lease is over: the shard has a higher epoch or has ended.
    private func isSettled(_ lease: Lease) -> Bool {
        guard let entry = shards[lease.shard], phase != .loading else { return false }
        switch entry.phase {
        case .done, .failed, .pending: return true
        case .granting: return lease.epoch <= entry.epoch
        case .leased(let holding): return lease.epoch <= holding.lease.epoch
        case .recording(let recorded, _): return recorded.epoch >= lease.epoch
        case .asking: return false
        }
    }
}
