public import Sharding

/// Makes reports of a run's events: what workers say, what the ledger says, and what hinders the run.
///
/// Times count from any fixed moment, which is the same for all calls. They never go back: an earlier time counts as
/// the latest one so far.
public struct ReportModel: Sendable {
    /// The most workers that are remembered for `everyWorker` after they have left. Beyond it the worker with the
    /// lowest peak is forgotten.
    static let departedLimit = 1024
    /// The highest number of rows or bytes that one figure counts as (2^44). A sum of more than 2^19 such figures
    /// wraps, but never traps: a worker's claims must not end the coordinator.
    static let countLimit: Int64 = 1 << 44
    /// The most shards whose last error is remembered as values. Of other shards only the error's text is known.
    static let causeLimit = 1000

    private struct KnownWorker {
        var progress: WorkerProgress
        var meter: RateMeter
        var heard: Duration
        var present = true
    }

    private let run: RunID
    private let job: String
    private let rowsEstimated: Int64
    /// Whether this coordinator starts workers itself. Then it does not wait for others to join.
    private let startsWorkers: Bool
    private let start: Duration
    private var latest: Duration
    private var meter: RateMeter
    private var rows: ShardRows
    private var counts = ShardCounts()
    private var workers: [WorkerID: KnownWorker] = [:]
    private var departed = 0
    private var causes: [ShardID: FailureCause] = [:]
    private var watch: StallWatch
    private var hindrances = Hindrances()
    private var hot = HotWatch()

    /// - Parameters:
    ///   - rowsEstimated: Rows in scope, from statistics; 0 or less when unknown.
    ///   - rowsDone: Rows that earlier coordinators of the run had updated. Each shard takes its part of them when its
    ///     number first becomes known, so call `shardRowsKnown` for every shard with rows before the first report.
    ///   - startsWorkers: Whether this coordinator starts workers itself.
    ///   - now: When this coordinator began.
    public init(
        run: RunID, job: String, rowsEstimated: Int64, rowsDone: Int64, startsWorkers: Bool, now: Duration
    ) {
        self.run = run
        self.job = job
        self.rowsEstimated = Self.limited(rowsEstimated)
        self.startsWorkers = startsWorkers
        self.start = now
        self.latest = now
        self.meter = RateMeter(start: now)
        self.rows = ShardRows(unclaimed: Self.limited(rowsDone))
        self.watch = StallWatch(start: now)
    }

    // MARK: - The workers' events

    /// A worker has said HELLO and can work. A worker that was here before keeps its rows and its peak.
    public mutating func workerJoined(_ id: WorkerID, _ process: ProcessName, now: Duration) {
        advance(to: now)
        hindrances.asked(id, nil)
        var worker =
            workers[id]
            ?? KnownWorker(
                progress: WorkerProgress(WorkerRecord(id: id, host: process.host, pid: process.pid)),
                meter: RateMeter(start: latest), heard: latest)
        if !worker.present { departed -= 1 }
        worker.progress.record.host = process.host
        worker.progress.record.pid = process.pid
        worker.present = true
        worker.heard = latest
        workers[id] = worker
    }

    /// A worker that asks to join has said why it cannot begin; nil if it has no problem any more.
    public mutating func workerAsked(_ id: WorkerID, _ process: ProcessName, problem: String?) {
        hindrances.asked(
            id, problem.map { Hindrances.Beginner(process: process, problem: Self.limited($0)) })
    }

    /// A worker has reported its state.
    ///
    /// The rows count even if the worker is not known or has left, since they are committed. A report has no epoch
    /// here. So after a failover the caller drops reports about older leases.
    public mutating func workerReported(_ id: WorkerID, _ sample: WorkerSample, now: Duration) {
        advance(to: now)
        if let held = sample.held {
            credit(rows.reported(held.lease.shard, Self.limited(held.rowsDone), by: id), to: id)
        }
        guard var worker = workers[id] else { return }
        worker.progress.record.peakRSSBytes = max(
            worker.progress.record.peakRSSBytes, Self.limited(sample.rssBytes), Self.limited(sample.peakRSSBytes))
        if worker.present {
            worker.progress.record.shard = sample.held?.lease.shard
            worker.progress.record.rssBytes = Self.limited(sample.rssBytes)
            worker.progress.programRSSBytes = Self.limited(sample.programRSSBytes)
            worker.progress.wait = sample.wait.map { WorkerWait(words: Self.limited($0.words), cause: $0.cause) }
            worker.progress.record.activity = worker.progress.wait?.words ?? Self.limited(sample.step)
            worker.heard = latest
            if let held = sample.held {
                watch.heard(held, from: id, step: Self.limited(sample.step), stepFor: sample.stepFor, now: latest)
            } else {
                watch.left(id)
            }
        }
        workers[id] = worker
    }

    /// A worker has said goodbye, was given up, or asked to join and fell silent. Its rows stay counted.
    public mutating func workerLeft(_ id: WorkerID, now: Duration) {
        advance(to: now)
        hindrances.asked(id, nil)
        watch.left(id)
        guard workers[id]?.present == true else { return }
        workers[id]?.present = false
        workers[id]?.progress.record.shard = nil
        workers[id]?.progress.record.activity = ""
        workers[id]?.progress.wait = nil
        departed += 1
        guard departed > Self.departedLimit else { return }
        let gone = workers.values.lazy.filter { !$0.present }.map(\.progress.record)
        if let least = gone.min(by: { ($0.peakRSSBytes, $0.id) < ($1.peakRSSBytes, $1.id) }) {
            workers[least.id] = nil
            departed -= 1
        }
    }

    /// Processes of local workers have ended one after another without joining, `times` in a row; 0 once one has
    /// joined.
    public mutating func localWorkersEnded(times: Int, limit: Int, reason: String) {
        hindrances.ends = times > 0 ? Hindrances.Ends(times: times, limit: limit, reason: Self.limited(reason)) : nil
    }

    /// The missing local workers were spawned; with a fault, only some of them or none.
    public mutating func localWorkersSpawned(fault: String?) { hindrances.spawnFault = fault.map { Self.limited($0) } }

    /// What keeps workers of other hosts away; empty if all are there that should be.
    public mutating func hostsLookedAt(_ troubles: [HostTrouble]) {
        hindrances.hosts = troubles.map { trouble in
            HostTrouble(host: trouble.host, reason: Self.limited(trouble.reason), retryAt: trouble.retryAt)
        }
    }

    // MARK: - The ledger's events

    /// The ledger has told a shard's rows: at load, when the shard is done, and for all shards after a reconnect.
    ///
    /// The ledger's number replaces that of reports, even if it is lower. Rows that it adds count as done now. Do not
    /// ask the ledger about a shard at work: a read that is older than a report would lower the shard, and the next
    /// report would count the same rows again.
    ///
    /// - Parameters:
    ///   - rowsDone: Rows of that shard updated in all leases so far.
    ///   - worker: the worker that is credited with added rows; nil for the worker whose report raised the shard last.
    public mutating func shardRowsKnown(_ shard: ShardID, rowsDone: Int64, by worker: WorkerID? = nil) {
        let (added, worker) = rows.told(shard, Self.limited(rowsDone), by: worker)
        credit(added, to: worker)
    }

    /// The ledger, or the dispatching machine, counted the run's shards by state.
    public mutating func shardsCounted(_ counts: ShardCounts) {
        self.counts = ShardCounts(
            pending: max(0, counts.pending), running: max(0, counts.running), done: max(0, counts.done),
            failed: max(0, counts.failed))
    }

    /// The ledger has recorded that an attempt at a shard ended with an error of this cause.
    public mutating func attemptEnded(_ shard: ShardID, cause: FailureCause) {
        let isKnown = cause != FailureCause()
        if isKnown, causes[shard] == nil, causes.count >= Self.causeLimit { return }
        causes[shard] = isKnown ? cause : nil
    }

    /// The ledger cannot be reached, or cannot be written. The newest reason replaces the one before.
    public mutating func databaseLost(reason: String, isReadOnly: Bool = false, now: Duration) {
        advance(to: now)
        hindrances.locked = nil
        hindrances.away = Hindrances.Trouble(
            since: hindrances.away?.since ?? latest, reason: Self.limited(reason), isReadOnly: isReadOnly)
    }

    /// The ledger is reached again.
    public mutating func databaseFound() { hindrances.away = nil }

    /// A statement of the ledger met a lock, and is tried again.
    public mutating func ledgerMetLock(reason: String, now: Duration) {
        advance(to: now)
        hindrances.locked = Hindrances.Trouble(since: hindrances.locked?.since ?? latest, reason: Self.limited(reason))
    }

    /// The ledger has carried out a request, or has refused it.
    public mutating func ledgerAnswered() { hindrances.locked = nil }

    /// The table's storage was measured.
    ///
    /// - Parameter expectedHotShare: the expected share of HOT updates, 0 to 1; 0 if none is expected.
    public mutating func storageMeasured(_ measure: StorageMeasure, expectedHotShare: Double, now: Duration) {
        advance(to: now)
        var measure = measure
        measure.holder = measure.holder.map { Self.limited($0) }
        hot.measured(measure, expected: expectedHotShare, now: latest)
    }

    /// Somebody has limited the run's pace, or changed or lifted the limits; nil for none. Rates count anew.
    public mutating func paced(_ pace: Pace?, now: Duration) {
        advance(to: now)
        meter.restarted(now: latest)
        for worker in workers.keys { workers[worker]?.meter.restarted(now: latest) }
        hindrances.pace = pace.map { pace in
            var pace = pace
            pace.by = Self.limited(pace.by)
            return pace
        }
    }

    // MARK: - The end

    /// The run is about to end, or to stop. This does not replace a wind-down of a higher rank.
    public mutating func windDownBegan(_ windDown: WindDown) {
        var windDown = windDown
        if case .stopping(let reason) = windDown { windDown = .stopping(reason: Self.limited(reason)) }
        if case .pausing(let who) = windDown { windDown = .pausing(by: Self.limited(who)) }
        hindrances.windDownBegan(windDown)
    }

    // MARK: - Queries

    /// The run as it is at `now`. The model does not change, so there may be any number of reports.
    public func report(now: Duration) -> RunReport {
        let now = max(now, latest)
        let present = listed(now: now) { $0.present }
        let conditions = conditions(present, now: now)
        let rate = meter.rate(now: now)
        return RunReport(
            run: run, job: job, rowsDone: rows.total, rowsEstimated: rowsEstimated, rowsPerSecond: rate,
            timeLeft: TimeLeft.of(
                rowsDone: rows.total, rowsEstimated: rowsEstimated, rowsPerSecond: rate, shards: counts),
            elapsed: now - start, shards: counts, workers: present,
            conditions: Array(conditions.prefix(RunCondition.limit)),
            conditionsLeftOut: max(0, conditions.count - RunCondition.limit))
    }

    public var rowsDone: Int64 { rows.total }
    /// The number of present workers.
    public var workerCount: Int { workers.values.count { $0.present } }

    /// Every worker that ever joined, by host and pid, with its last known peak memory (see `departedLimit`).
    public var everyWorker: [WorkerProgress] { listed(now: latest) { _ in true } }

    /// The cause of the shard's last error; empty if this coordinator has not seen that error.
    public func cause(of shard: ShardID) -> FailureCause { causes[shard] ?? FailureCause() }

    // MARK: - Private

    private mutating func advance(to now: Duration) { latest = max(latest, now) }

    private mutating func credit(_ added: Int64, to worker: WorkerID?) {
        meter.recorded(added, now: latest)
        guard let worker else { return }
        workers[worker]?.progress.record.rowsDone &+= added
        workers[worker]?.meter.recorded(added, now: latest)
    }

    private func listed(now: Duration, where included: (KnownWorker) -> Bool) -> [WorkerProgress] {
        workers.values.filter(included).map { worker in
            var progress = worker.progress
            progress.record.rowsPerSecond = worker.present ? worker.meter.rate(now: now) : 0
            progress.silentFor = now - worker.heard
            return progress
        }.sorted { ($0.record.host, $0.record.pid, $0.record.id) < ($1.record.host, $1.record.pid, $1.record.id) }
    }

    /// All conditions that hold, in the order of their importance.
    private func conditions(_ present: [WorkerProgress], now: Duration) -> [RunCondition] {
        var conditions: [RunCondition] = []
        if let windDown = hindrances.windDown { conditions.append(.windingDown(windDown)) }
        if let pace = hindrances.pace, hindrances.windDown == nil { conditions.append(.paced(pace)) }
        if let away = hindrances.away {
            let since = now - away.since
            conditions.append(
                away.isReadOnly
                    ? .databaseReadOnly(reason: away.reason, since: since)
                    : .databaseAway(reason: away.reason, since: since))
        }
        if let locked = hindrances.locked {
            conditions.append(.ledgerLocked(reason: locked.reason, since: now - locked.since))
        }
        if let ends = hindrances.ends {
            conditions.append(.workersEnd(times: ends.times, limit: ends.limit, reason: ends.reason))
        }
        if let fault = hindrances.spawnFault, hindrances.windDown == nil {
            conditions.append(.cannotSpawn(reason: fault))
        }
        let isOver = counts.total > 0 && counts.open == 0
        // A run whose workers are about to leave does not wait for workers.
        if !startsWorkers, present.isEmpty, !isOver, hindrances.windDown == nil { conditions.append(.noWorkers) }
        if !isOver, hindrances.windDown == nil {
            for trouble in hindrances.hosts {
                conditions.append(
                    .hostAway(trouble.host, reason: trouble.reason, retryIn: max(.zero, trouble.retryAt - now)))
            }
        }
        // At a low pace a turn to write may take long.
        if !isOver, let stall = watch.stall(now: now, { workers[$0]?.progress.process }),
            hindrances.pace == nil || stall.holders.contains(where: { $0.step != "queued" })
        {
            conditions.append(.stalled(stall))
        }
        if !isOver, let few = hot.shortfall {
            conditions.append(.fewHotUpdates(share: few.share, expected: few.expected, holder: few.holder))
        }
        for (_, beginner) in hindrances.beginners.sorted(by: { $0.key < $1.key }) {
            conditions.append(.cannotBegin(beginner.process, reason: beginner.problem))
        }
        for worker in present where worker.isSilent {
            conditions.append(.workerSilent(worker.process, since: worker.silentFor))
        }
        for worker in present {
            if let wait = worker.wait { conditions.append(.workerWaits(worker.process, worker.record.shard, wait)) }
        }
        return conditions
    }

    private static func limited(_ count: Int64) -> Int64 { min(max(0, count), countLimit) }
    private static func limited(_ text: String) -> String {
        text.count > RunCondition.reasonLength ? text.prefix(RunCondition.reasonLength - 1) + "…" : text
    }
}
