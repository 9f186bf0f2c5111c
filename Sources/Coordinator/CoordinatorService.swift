import Dispatching
import Glibc
import Host
import Job
public import Ledger
import LedgerQueueing
public import Logging
import Metrics
import Postgres
import Preflight
public import Progress
public import ServiceLifecycle
public import Sharding
import Wire
import ZeroMQ

/// One run's coordinator: links a `DispatchStateMachine` to a ROUTER socket and to local workers, and by a
/// `LedgerQueueStateMachine` to the ledger.
///
/// The actor runs on the socket loop's thread and owns the machines. What touches the ledger is done on the ledger's own
/// thread, everything else at once.
public actor CoordinatorService: Service {
    public struct Configuration: Sendable {
        /// Local worker processes to keep at their number; nil to wait for workers that join.
        public var workers: LocalWorkers?
        /// Where other workers may join; nil for a private ipc endpoint alone.
        public var listen: String?
        public var heartbeatInterval = Duration.seconds(1)
        public var leaseDuration = Duration.seconds(10)

        public init(workers: LocalWorkers?, listen: String? = nil) {
            self.workers = workers
            self.listen = listen
        }
    }

    /// How a run's coordination ended.
    public struct Outcome: Sendable, Equatable {
        public var state: RunRecord.State
        public var snapshot: ProgressSnapshot
        /// Every worker that took part, with its peak memory.
        public var workers: [WorkerProgress]
        /// The shards that failed, with their last error; nil where the ledger was not asked.
        public var failures: [Failure]?
        /// Rows above the run's last key, which came while it was under way and are not changed; counted up to
        /// `rowsAboveLimit`. Nil where nobody counted.
        public var rowsAbove: Int64?
        /// Rows whose update the database suppressed, such as by a trigger.
        public var rowsUnchanged: Int64 = 0
    }

    /// Rows above the last key that are counted at the most.
    public static let rowsAboveLimit = 100_000

    public struct Failure: Sendable, Equatable {
        public var shard: ShardID
        public var range: KeyRange
        public var error: String
    }

    /// What happens, for people who watch.
    public enum Event: Sendable {
        /// Workers can join here.
        case listening(String)
        case progressed(ProgressSnapshot)
        case attemptEnded(ShardID, String, failed: Bool)
        case workerGone(String)
        /// A worker cannot do this job, and why: its shard goes to another.
        case workerUnfit(String, String)
        /// A timeout has made batches smaller.
        case batchesShrunk(Int)
        case ledgerLost(String)
    }

    /// A longer time between two ticks means that the process was frozen, or its host asleep.
    static let pauseLimit = Duration.seconds(2)
    static let renewInterval = Duration.seconds(1)
    static let noteInterval = Duration.seconds(2)
    static let progressInterval = Duration.milliseconds(200)

    nonisolated let loop = SocketLoop(name: "coordinator")
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    let configuration: Configuration
    let opened: RunOpening.Opened
    let ledger: LedgerService
    let log: Logger
    let notify: @Sendable (Event) -> Void
    let origin = MonotonicTime.now()
    /// Time that this process spent frozen, when it could not hear its workers.
    var paused = Duration.zero
    var tickedAt = Duration.zero
    var machine: DispatchStateMachine
    var queue = LedgerQueueStateMachine()
    var progress: ProgressModel
    var local: LocalWorkers?
    var folder: String?
    var socket: ZeroMQSocket?
    var peers = PeerDirectory()
    var renewedAt = Duration.zero
    var notedAt = Duration.zero
    var shownAt = Duration.zero
    var refusalsReportedAt = Duration.zero
    var lastGoodbye = ""
    var stall = StallWatch()
    /// Rows that a batch may have, when a timeout has made batches smaller; 0 otherwise.
    var batchRows = 0
    var ending = Ending.ahead
    /// The run's state as this process has last written it.
    var written: RunRecord.State = .running
    /// What `run` waits for.
    private var continuation: CheckedContinuation<Void, any Error>?
    let shardsDone: Counter
    let attemptsEnded: Counter
    let rowsGauge: Gauge

    public init(
        configuration: Configuration, opening: RunOpening, opened: RunOpening.Opened, log: Logger,
        notify: @escaping @Sendable (Event) -> Void
    ) {
        self.configuration = configuration
        local = configuration.workers
        self.opened = opened
        self.log = log
        self.notify = notify
        ledger = opening.ledger
        var generator = SystemRandomNumberGenerator()
        machine = DispatchStateMachine(
            configuration: DispatchStateMachine.Configuration(
                leaseDuration: configuration.leaseDuration,
                stallAfter: .seconds(PostgresSession.statementTimeoutSeconds * 2) + opened.job.computeTimeout,
                retry: opened.job.retry), seed: generator.next())
        progress = ProgressModel(
            run: opened.ownership.run, job: opened.job.name, rowsEstimated: opened.rowsEstimated,
            rowsDone: opened.rowsDone, now: .zero)
        batchRows = opened.batchRows
        let dimensions = [("run", opened.ownership.run.description)]
        shardsDone = Counter(label: "coord_shards_done", dimensions: dimensions)
        attemptsEnded = Counter(label: "coord_attempts_ended_early", dimensions: dimensions)
        rowsGauge = Gauge(label: "coord_rows_done", dimensions: dimensions)
    }

    // MARK: - Life

    /// Coordinates until the run is over, drained or cancelled.
    /// - Throws: `CoordinatorError`, `ZeroMQError`.
    public func run() async throws {
        try await withGracefulShutdownHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                self.continuation = continuation
                start()
            }
        } onGracefulShutdown: {
            Task { await self.drain() }
        }
    }

    /// Ask the workers to finish their batches, then stop. The run can be resumed.
    public func drain() {
        progress.noted("draining: each worker finishes its batch", from: .draining)
        react { $0.drainRequested(now: $1) }
    }

    /// Stops at once; batches under way are rolled back or commit by themselves. The run can be resumed.
    /// - Returns: what is known without the ledger, which may take long to answer.
    public func abort() -> Outcome {
        local?.killAll()
        removeFolder()
        return known
    }

    /// Gives the run back after an error, so that it can be resumed at once. Best effort: a lease that is not given back
    /// ends with this process's session.
    /// - Returns: what the run came to, from the ledger where it can be reached.
    public func giveBack() async -> Outcome {
        let ownership = opened.ownership
        do {
            if let released = try await ledger.with({ try $0.release(ownership, as: .paused) }) { written = released }
            return try await result()
        } catch {
            log.info("the run was not given back, or is not known to be: \(error)")
            return known
        }
    }

    /// What the run came to as far as this process knows.
    public var known: Outcome {
        var snapshot = snapshot()
        snapshot.notes = []
        return Outcome(state: written, snapshot: snapshot, workers: progress.peaks, failures: nil)
    }

    /// What the run came to, from the ledger. Call it after `run`.
    public func result() async throws -> Outcome {
        let run = opened.ownership.run
        let (record, failed) = try await ledger.with { store in
            (try store.run(run), try store.shards(of: run).filter { $0.record.state == .failed })
        }
        progress.shardsCounted(
            pending: record.counts.pending, running: record.counts.running, done: record.counts.done,
            failed: record.counts.failed)
        var snapshot = progress.snapshot(now: now)
        snapshot.notes = []
        snapshot.rowsDone = record.rowsDone
        return Outcome(
            state: record.state, snapshot: snapshot, workers: progress.peaks,
            failures: failed.map { shard in
                Failure(shard: shard.record.id, range: shard.range, error: shard.record.error ?? "")
            }, rowsAbove: record.state == .complete ? await countRowsAbove() : nil,
            rowsUnchanged: try await ledger.with { try $0.unchangedRows(of: run) })
    }

    /// Counts what came above the last key. Nothing hangs on it.
    private func countRowsAbove() async -> Int64? {
        guard let end = opened.endKey else { return nil }
        let (run, target, path) = (opened.ownership.run, opened.target, opened.searchPath)
        do {
            return try await ledger.with { store in
                let rows = try store.connection.withSearchPath(path) {
                    try RangePlanner.rows(above: end, limit: Self.rowsAboveLimit, target, store.connection)
                }
                try store.noteRowsAbove(rows, of: run)
                return rows
            }
        } catch {
            log.warning("the rows above the last key could not be counted: \(error)")
            return nil
        }
    }

    func start() {
        do {
            let endpoints = try listen()
            loop.onTick { [unowned self] in assumeIsolated { $0.tick() } }
            if local != nil {
                local?.admit()
                watchExits(local?.exitDescriptors ?? [])
            } else {
                progress.noted("waiting for workers", from: .workers)
            }
            for endpoint in local != nil ? Array(endpoints.dropFirst()) : endpoints { notify(.listening(endpoint)) }
        } catch {
            return end(.failure(error))
        }
        enqueue(.dispatch(.reload))
    }

    func listen() throws -> [String] {
        let socket = try loop.makeSocket(.router)
        self.socket = socket
        var endpoints: [String] = []
        if local != nil || configuration.listen == nil {
            let folder = try local?.folder ?? Endpoint.makePrivateFolder()
            self.folder = folder
            try socket.bind(PrivateEndpoint.inside(folder))
            endpoints.append(PrivateEndpoint.inside(folder))
        }
        if let listen = configuration.listen {
            // Asked once more: the plan took its time.
            try Endpoint.check(listen)
            guardConnections()
            try socket.bind(listen)
            endpoints.append(socket.lastEndpoint())
        }
        loop.watch(socket) { [unowned self] in assumeIsolated { $0.receive() } }
        return endpoints
    }

    func removeFolder() {
        if let folder { PrivateEndpoint.remove(PrivateEndpoint.inside(folder)) }
    }

    func end(_ result: Result<Void, any Error>) {
        guard ending != .over else { return }
        ending.ended()
        queue.serviceEnded()
        local?.killAll()
        if let socket {
            // What is still queued is a farewell; workers whose farewell is lost notice the silence.
            try? socket.linger(milliseconds: 200)
            loop.unwatch(socket)
            socket.close()
        }
        socket = nil
        loop.terminate()
        removeFolder()
        continuation?.resume(with: result)
        continuation = nil
    }

    // MARK: - The machine

    /// The machine's time: it stands still while this process does.
    var now: Duration { MonotonicTime.now() - origin - paused }

    func react(_ event: (inout DispatchStateMachine, Duration) -> [DispatchAction]) {
        let actions = event(&machine, now)
        machine.assertInvariants()
        for action in actions { perform(action) }
    }

    func perform(_ action: DispatchAction) {
        switch action {
        case .ledger(let request): enqueue(.dispatch(request))
        case .tell(let worker, let instruction): tell(worker, instruction)
        case .dismiss(let worker):
            if let peer = peers[worker], let process = peer.process {
                notify(.workerGone("\(process) is silent: its shard goes to another"))
                // A process of ours that is frozen or stuck is replaced.
                if peer.isLocal { local?.kill(process.pid) }
            }
            forget(worker)
        case .finish(let result): conclude(result)
        }
    }

    func tell(_ worker: WorkerID, _ instruction: DispatchAction.Instruction) {
        switch instruction {
        case .assign(let lease): send(.assign(lease, batchRows: batchRows), to: worker)
        case .revoke(let lease): send(.revoke(lease), to: worker)
        case .rejoin: send(.rejoin, to: worker)
        case .drain: send(.drain, to: worker)
        }
    }

    func tick() {
        if now - tickedAt > Self.pauseLimit { paused += now - tickedAt }
        let now = now
        tickedAt = now
        guard ending == .ahead else { return finishTick(now) }
        reportRefusals()
        reapLocalWorkers()
        if let local, local.failures >= LocalWorkers.failureLimit {
            return end(.failure(CoordinatorError.workersCannotStart(reason: lastGoodbye)))
        }
        do {
            if machine.phase == .dispatching || machine.phase == .loading {
                watchExits(try local?.fill(now: now) ?? [])
            }
        } catch {
            log.error("\(error)")
        }
        react { $0.timePassed(now: $1) }
        if now - renewedAt >= Self.renewInterval {
            renewedAt = now
            forgetSilentGuests()
            enqueue(.renew)
        }
        if now - notedAt >= Self.noteInterval {
            notedAt = now
            enqueue(.note)
        }
        show(now)
    }

    func show(_ now: Duration) {
        guard now - shownAt >= Self.progressInterval else { return }
        shownAt = now
        progress.noted(stall.words(now: now), from: .stall)
        notify(.progressed(snapshot()))
    }

    /// Has `tick` called as soon as a local worker's process has ended.
    func watchExits(_ descriptors: [Int32]) {
        for descriptor in descriptors {
            loop.watch(descriptor: descriptor) { [unowned self] in assumeIsolated { $0.tick() } }
        }
    }

    func reapLocalWorkers() {
        for exit in local?.reap(now: now) ?? [] {
            loop.unwatch(descriptor: exit.descriptor)
            if ending == .ahead { exited(exit) }
        }
    }

    func exited(_ exit: LocalWorkers.Exit) {
        if exit.joined, machine.phase == .dispatching {
            notify(.workerGone("worker pid \(exit.pid) ended (\(exit.reason)): starting another"))
        }
        if !exit.joined, lastGoodbye.isEmpty { lastGoodbye = exit.reason }
        guard let worker = peers.local(pid: exit.pid) else { return }
        forget(worker)
        react {
            $0.workerLeft(worker, as: AttemptEnd(.failed, error: "the worker's process ended: \(exit.reason)"), now: $1)
        }
    }

    func snapshot() -> ProgressSnapshot {
        let counts = machine.counts
        progress.shardsCounted(
            pending: counts.pending, running: counts.running, done: counts.done, failed: counts.failed)
        let snapshot = progress.snapshot(now: now)
        rowsGauge.record(snapshot.rowsDone)
        return snapshot
    }
}

extension CoordinatorService {
    /// For messages.
    public nonisolated var runNumber: RunID { opened.ownership.run }
}
