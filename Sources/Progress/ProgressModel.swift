public import Sharding

/// Folds what workers report and what the ledger says into rates, an ETA and snapshots.
///
/// The run's rows are the sum, over its shards, of the highest number known for each. So a late, repeated or reordered
/// report never counts twice and never lowers anything; only the ledger does, which a failover may have rolled back.
/// Times are since any fixed moment, one for all calls, and never go back: an earlier one counts as the latest so far.
public struct ProgressModel: Sendable {
    /// The most workers that have left which are remembered for `peaks`; beyond it, the lowest peak is forgotten.
    public static let departedLimit = 1024
    /// An ETA above this says nothing and is nil.
    static let etaLimit: Duration = .seconds(1000 * 86_400)
    /// The most rows, or bytes, that one number counts as (2^44). Sums of more than 2^19 such wrap, but never trap:
    /// what a worker claims must not end the coordinator.
    public static let countLimit: Int64 = 1 << 44

    /// The most notes that a snapshot lists; a last one counts the others.
    public static let noteLimit = 8
    /// The most characters of a note; a longer one is cut.
    public static let noteLength = 300

    private struct KnownShard {
        var rows: Int64 = 0
        /// The worker whose report raised `rows` last: it is credited with what the ledger adds to them.
        var reporter: WorkerID?
    }

    private struct KnownWorker {
        var progress: WorkerProgress
        var meter: RateMeter
        var heard: Duration
        var present = true
    }

    private let run: RunID
    private let job: String
    private let rowsEstimated: Int64
    private let start: Duration
    private var latest: Duration
    private var meter: RateMeter
    /// Rows of earlier coordinators that no shard has claimed yet.
    private var rowsUnclaimed: Int64
    /// Sum of `rows` over `shards`.
    private var rowsOfShards: Int64 = 0
    private var shards: [ShardID: KnownShard] = [:]
    private var workers: [WorkerID: KnownWorker] = [:]
    private var departed = 0
    private var counts = (pending: 0, running: 0, done: 0, failed: 0)
    private var notes: [NoteSource: String] = [:]

    /// - Parameters:
    ///   - rowsEstimated: Rows in scope, from statistics; 0 or less when unknown.
    ///   - rowsDone: Rows that earlier coordinators of the run had updated. Each shard takes its part of them when its
    ///     number first becomes known, so call `shardRowsKnown` for every shard with rows before the first report.
    ///   - now: When this coordinator began.
    public init(run: RunID, job: String, rowsEstimated: Int64, rowsDone: Int64, now: Duration) {
        self.run = run
        self.job = job
        self.rowsEstimated = Self.limited(rowsEstimated)
        self.rowsUnclaimed = Self.limited(rowsDone)
        self.start = now
        self.latest = now
        self.meter = RateMeter(start: now)
    }

    // MARK: Events

    /// A worker said hello. One that was here before keeps its rows and its peak.
    public mutating func workerJoined(_ id: WorkerID, host: String, pid: Int32, local: Bool, now: Duration) {
        advance(to: now)
        var worker =
            workers[id]
            ?? KnownWorker(
                progress: WorkerProgress(id: id, host: host, pid: pid, local: local),
                meter: RateMeter(start: latest), heard: latest)
        if !worker.present { departed -= 1 }
        worker.progress.host = host
        worker.progress.pid = pid
        worker.progress.local = local
        worker.present = true
        worker.heard = latest
        workers[id] = worker
    }

    /// A worker said how far it is.
    ///
    /// The rows count even if the worker is not known or has left: they are committed. A report has no epoch here, so
    /// after a failover the caller drops reports of leases from before it.
    ///
    /// - Parameters:
    ///   - shard: The shard that it holds, or nil; then `shardRowsDone` says nothing.
    ///   - shardRowsDone: Rows of that shard updated in all leases so far.
    ///   - rssBytes: Resident memory now, in bytes.
    ///   - peakRSSBytes: Highest resident memory of the process so far, in bytes.
    ///   - programRSSBytes: Resident memory of its compute program now, in bytes; 0 where there is none.
    ///   - waitsFor: What it waits for, in words; empty while it works.
    public mutating func workerReported(
        _ id: WorkerID, shard: ShardID?, shardRowsDone: Int64, rssBytes: Int64, peakRSSBytes: Int64,
        programRSSBytes: Int64 = 0, waitsFor: String = "", now: Duration
    ) {
        advance(to: now)
        if let shard, shards[shard].map({ $0.rows < shardRowsDone }) ?? true {
            raise(shard, to: Self.limited(shardRowsDone), by: id)
        }
        guard var worker = workers[id] else { return }
        worker.progress.peakRSSBytes = max(
            worker.progress.peakRSSBytes, Self.limited(rssBytes), Self.limited(peakRSSBytes))
        if worker.present {
            worker.progress.shard = shard
            worker.progress.rssBytes = Self.limited(rssBytes)
            worker.progress.programRSSBytes = Self.limited(programRSSBytes)
            worker.progress.waitsFor = Self.limited(waitsFor)
            worker.heard = latest
        }
        workers[id] = worker
    }

    /// The ledger told a shard's rows: at load, when the shard is done, and for all shards after a reconnect.
    ///
    /// Its number replaces what reports said, also downwards. Rows that it adds count as done now. Do not poll it for
    /// a shard at work: a read that is older than a report would lower the shard, and the next report count again.
    ///
    /// - Parameters:
    ///   - rowsDone: Rows of that shard updated in all leases so far.
    ///   - worker: Who is credited with added rows; if nil, the worker whose report raised the shard last.
    public mutating func shardRowsKnown(_ shard: ShardID, rowsDone: Int64, by worker: WorkerID? = nil) {
        let rows = Self.limited(rowsDone)
        if let known = shards[shard], rows <= known.rows {
            rowsOfShards &-= known.rows - rows
            shards[shard]?.rows = rows
        } else {
            raise(shard, to: rows, by: worker ?? shards[shard]?.reporter)
        }
    }

    /// The ledger, or the dispatcher, counted the run's shards by state.
    public mutating func shardsCounted(pending: Int, running: Int, done: Int, failed: Int) {
        counts = (max(0, pending), max(0, running), max(0, done), max(0, failed))
    }

    /// A worker said goodbye or was given up. What it did stays counted.
    public mutating func workerLeft(_ id: WorkerID, now: Duration) {
        advance(to: now)
        guard workers[id]?.present == true else { return }
        workers[id]?.present = false
        workers[id]?.progress.shard = nil
        workers[id]?.progress.waitsFor = ""
        notes[.worker(id)] = nil
        departed += 1
        guard departed > Self.departedLimit else { return }
        let gone = workers.values.lazy.filter { !$0.present }.map(\.progress)
        if let least = gone.min(by: { ($0.peakRSSBytes, $0.id) < ($1.peakRSSBytes, $1.id) }) {
            workers[least.id] = nil
            departed -= 1
        }
    }

    /// The run began to wait for something, or, with nil, no longer waits for that.
    ///
    /// A note replaces the last one of its source alone. What is said of a worker that is not here is dropped, and its
    /// note goes when it leaves.
    ///
    /// - Parameter text: One line, of up to `noteLength` characters; what is more is cut. Empty counts as nil.
    public mutating func noted(_ text: String?, from source: NoteSource) {
        if case .worker(let id) = source, workers[id]?.present != true { return }
        notes[source] = text.flatMap { $0.isEmpty ? nil : Self.limited($0) }
    }

    // MARK: Queries

    /// The run as it is at `now`. Does not change the model, so any number may be taken.
    public func snapshot(now: Duration) -> ProgressSnapshot {
        let now = max(now, latest)
        var snapshot = ProgressSnapshot(
            run: run, job: job, rowsDone: rowsUnclaimed &+ rowsOfShards, rowsEstimated: rowsEstimated,
            rowsPerSecond: meter.rate(now: now), elapsed: now - start, pending: counts.pending,
            running: counts.running, done: counts.done, failed: counts.failed,
            workers: listed(now: now) { $0.present }, notes: listedNotes)
        snapshot.eta = eta(snapshot)
        return snapshot
    }

    /// Every worker that ever joined, by host and pid, with its last known peak memory (see `departedLimit`).
    public var peaks: [WorkerProgress] { listed(now: latest) { _ in true } }

    // MARK: Private

    private mutating func advance(to now: Duration) { latest = max(latest, now) }

    private mutating func raise(_ shard: ShardID, to rows: Int64, by worker: WorkerID?) {
        var added = rows - (shards[shard]?.rows ?? 0)
        // What earlier coordinators had done moves to its shard here: no progress, so neither rate nor credit.
        if shards[shard] == nil {
            let claimed = min(rowsUnclaimed, rows)
            rowsUnclaimed -= claimed
            added -= claimed
            rowsOfShards &+= claimed
        }
        shards[shard] = KnownShard(rows: rows, reporter: worker)
        rowsOfShards &+= added
        meter.recorded(added, now: latest)
        guard let worker else { return }
        workers[worker]?.progress.rowsDone &+= added
        workers[worker]?.meter.recorded(added, now: latest)
    }

    private func listed(now: Duration, where included: (KnownWorker) -> Bool) -> [WorkerProgress] {
        workers.values.filter(included).map { worker in
            var progress = worker.progress
            progress.rowsPerSecond = worker.present ? worker.meter.rate(now: now) : 0
            progress.silentFor = now - worker.heard
            return progress
        }.sorted { ($0.host, $0.pid, $0.id) < ($1.host, $1.pid, $1.id) }
    }

    private var listedNotes: [String] {
        let texts = notes.sorted { $0.key < $1.key }.map(\.value)
        guard texts.count > Self.noteLimit else { return texts }
        return texts.prefix(Self.noteLimit - 1) + ["and \(texts.count - Self.noteLimit + 1) more"]
    }

    /// Rows left over the rate. Beyond the estimate: shards left, each as large as those done, those at work half done.
    private func eta(_ snapshot: ProgressSnapshot) -> Duration? {
        if snapshot.percent == 100 { return .zero }
        if snapshot.shards > 0, snapshot.pending + snapshot.running == 0 { return nil }
        guard snapshot.rowsPerSecond > 0 else { return nil }
        var rowsLeft = Double(snapshot.rowsEstimated) - Double(snapshot.rowsDone)
        if rowsLeft <= 0 {
            guard snapshot.done > 0 else { return nil }
            let halves = Double(snapshot.running) / 2
            let rowsPerShard = Double(snapshot.rowsDone) / (Double(snapshot.done) + halves)
            rowsLeft = rowsPerShard * (Double(snapshot.pending) + halves)
        }
        let seconds = rowsLeft / snapshot.rowsPerSecond
        return seconds <= Self.etaLimit.inSeconds ? .seconds(seconds) : nil
    }

    private static func limited(_ count: Int64) -> Int64 { min(max(0, count), countLimit) }
    private static func limited(_ text: String) -> String {
        text.count > noteLength ? text.prefix(noteLength - 1) + "…" : text
    }
}
