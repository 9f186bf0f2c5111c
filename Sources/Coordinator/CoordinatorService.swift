import Dispatching
import Glibc
import Host
import Job
public import Ledger
public import Logging
import Metrics
import Postgres
public import Progress
public import ServiceLifecycle
public import Sharding
import Wire
import ZeroMQ

/// One run's coordinator: links a `DispatchStateMachine` to a ROUTER socket, to the ledger and to local workers.
///
/// The actor runs on the socket loop's thread and owns the machine. Actions that touch the ledger are done one after
/// another on the ledger's own thread; everything else at once.
public actor CoordinatorService: Service {
    public struct Configuration: Sendable {
        /// Local worker processes to spawn and keep; 0 to wait for workers that join.
        public var workers: Int
        /// Where other workers may join; nil for a private ipc endpoint alone.
        public var listen: String?
        /// This program, to spawn workers from.
        public var executable: String
        /// Added to the environment of local workers.
        public var workerEnvironment: [String: String]
        public var heartbeatInterval = Duration.seconds(1)
        public var leaseDuration = Duration.seconds(10)
        /// How long the ledger may be away before the coordinator stops. The run can be resumed.
        public var ledgerPatience = Duration.seconds(600)

        public init(
            workers: Int, listen: String? = nil, executable: String, workerEnvironment: [String: String] = [:]
        ) {
            self.workers = workers
            self.listen = listen
            self.executable = executable
            self.workerEnvironment = workerEnvironment
        }
    }

    /// How a run's coordination ended.
    public struct Outcome: Sendable, Equatable {
        public var state: RunRecord.State
        public var snapshot: ProgressSnapshot
        /// Every worker that took part, with its peak memory.
        public var workers: [WorkerProgress]
        /// The shards that failed, with their last error.
        public var failures: [Failure]
    }

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
        case ledgerLost(String)
    }

    /// A longer time between two ticks means that the process was frozen, or its host asleep.
    static let pauseLimit = Duration.seconds(2)
    static let renewInterval = Duration.seconds(1)
    static let noteInterval = Duration.seconds(2)
    static let progressInterval = Duration.milliseconds(200)
    /// Times that a ledger action is tried again after a deadlock or a lock timeout.
    static let ledgerRetries = 10
    /// How long workers may take to leave once the run is over.
    static let farewell = Duration.seconds(5)

    private enum LedgerTask {
        case dispatch(DispatchAction)
        case renew
        case note
        case left(WorkerID)
    }

    private nonisolated let loop = SocketLoop(name: "coordinator")
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    let configuration: Configuration
    let opened: RunOpening.Opened
    let ledger: LedgerService
    let log: Logger
    private let notify: @Sendable (Event) -> Void
    private let origin = MonotonicTime.now()
    /// Time that this process spent frozen, when it could not hear its workers.
    private var paused = Duration.zero
    private var tickedAt = Duration.zero
    private var machine: DispatchStateMachine
    private var progress: ProgressModel
    private var local: LocalWorkers?
    private var folder: String?
    private var socket: ZeroMQSocket?
    private var addresses: [WorkerID: [UInt8]] = [:]
    private var people: [WorkerID: (host: String, pid: Int32)] = [:]
    private var queue: [LedgerTask] = []
    private var ledgerBusy = false
    private var renewedAt = Duration.zero
    private var notedAt = Duration.zero
    private var shownAt = Duration.zero
    private var lastGoodbye = ""
    private var finishing: Duration?
    private var outcome: RunRecord.State?
    private var continuation: CheckedContinuation<Void, any Error>?
    private let shardsDone: Counter
    private let attemptsEnded: Counter
    private let rowsGauge: Gauge

    public init(
        configuration: Configuration, opening: RunOpening, opened: RunOpening.Opened, log: Logger,
        notify: @escaping @Sendable (Event) -> Void
    ) {
        self.configuration = configuration
        self.opened = opened
        self.log = log
        self.notify = notify
        ledger = opening.ledger
        var generator = SystemRandomNumberGenerator()
        machine = DispatchStateMachine(
            configuration: DispatchStateMachine.Configuration(
                leaseDuration: configuration.leaseDuration,
                stallAfter: .seconds(PostgresSession.statementTimeoutSeconds * 2) + opened.job.computeTimeout,
                retry: Sharding.RetryPolicy(
                    attempts: opened.job.retry.attempts, backoff: opened.job.retry.backoff,
                    maxBackoff: opened.job.retry.maxBackoff)), seed: generator.next())
        progress = ProgressModel(
            run: opened.ownership.run, job: opened.job.name, rowsEstimated: opened.rowsEstimated,
            rowsDone: opened.rowsDone, now: .zero)
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
        progress.noted("draining: each worker finishes its batch")
        react { $0.drainRequested(now: $1) }
    }

    /// Stops at once; batches under way are rolled back or commit by themselves. The run can be resumed.
    public func abort() {
        local?.killAll()
        removeFolder()
    }

    /// Gives the run back after an error, so that it can be resumed at once. Best effort: a lease that is not given back
    /// ends with this process's session.
    public func giveBack() async {
        let ownership = opened.ownership
        do {
            try await ledger.with { try $0.release(ownership, as: .paused) }
        } catch {
            log.info("the run was not given back: \(error)")
        }
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
        progress.noted(nil)
        var snapshot = progress.snapshot(now: now)
        snapshot.rowsDone = record.rowsDone
        return Outcome(
            state: record.state, snapshot: snapshot, workers: progress.peaks,
            failures: failed.map { shard in
                Failure(shard: shard.record.id, range: shard.range, error: shard.record.error ?? "")
            })
    }

    private func start() {
        do {
            let endpoints = try listen()
            loop.onTick { [unowned self] in assumeIsolated { $0.tick() } }
            if configuration.workers > 0 {
                var workers = LocalWorkers(
                    executable: configuration.executable,
                    arguments: ["worker", "--connect", endpoints[0], "--leashed"]
                        + (log.logLevel <= .debug ? ["--verbose"] : []),
                    environment: configuration.workerEnvironment, count: configuration.workers)
                try workers.fill(now: now)
                local = workers
            } else {
                progress.noted("waiting for workers")
            }
            for endpoint in configuration.workers > 0 ? Array(endpoints.dropFirst()) : endpoints {
                notify(.listening(endpoint))
            }
        } catch {
            return end(.failure(error))
        }
        enqueue(.dispatch(.reload))
    }

    private func listen() throws -> [String] {
        let socket = try loop.makeSocket(.router)
        self.socket = socket
        var endpoints: [String] = []
        if configuration.workers > 0 || configuration.listen == nil {
            let folder = try Endpoint.makePrivateFolder()
            self.folder = folder
            try socket.bind("ipc://\(folder)/run")
            endpoints.append("ipc://\(folder)/run")
        }
        if let listen = configuration.listen {
            guard Endpoint.isLocal(listen) else { throw CoordinatorError.openEndpoint(listen) }
            try socket.bind(listen)
            endpoints.append(socket.lastEndpoint())
        }
        loop.watch(socket) { [unowned self] in assumeIsolated { $0.receive() } }
        return endpoints
    }

    private func removeFolder() {
        guard let folder else { return }
        unlink("\(folder)/run")
        rmdir(folder)
    }

    private func end(_ result: Result<Void, any Error>) {
        guard let continuation else { return }
        self.continuation = nil
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
        continuation.resume(with: result)
    }

    // MARK: - Workers' messages

    private func receive() {
        do {
            while let frames = try socket?.receive() {
                guard frames.count == 2 else { continue }
                do {
                    take(try FromWorker.decode(frames[1]), from: frames[0])
                } catch {
                    log.warning("a message was dropped: \(error)")
                }
            }
        } catch {
            log.error("cannot receive: \(error)")
        }
    }

    private func take(_ message: FromWorker, from address: [UInt8]) {
        let worker = WorkerID(message.worker)
        switch message.body {
        case .hello(let hello): greet(worker, hello, at: address)
        case .heartbeat(let heartbeat):
            guard addresses[worker] != nil else { return send(.rejoin(.init()), to: address) }
            addresses[worker] = address
            report(worker, heartbeat)
            send(.alive(.init()), to: address)
            let held = heartbeat.held.map {
                HeldLease(lease: $0.lease.value, sequence: $0.sequence, rowsDone: $0.rowsDone)
            }
            react { $0.workerReported(worker, held: held, now: $1) }
        case .shardDone(let done): react { $0.shardReportedDone(done.lease.value, worker: worker, now: $1) }
        case .shardFailed(let failed):
            let end = AttemptEnd(.failed, error: failed.error, permanent: failed.permanent)
            react { $0.attemptReported(failed.lease.value, worker: worker, end, now: $1) }
        case .leaseReleased(let released):
            react { $0.attemptReported(released.lease.value, worker: worker, AttemptEnd(.released), now: $1) }
        case .leaseLost(let lost): react { $0.leaseReportedLost(lost.lease.value, worker: worker, now: $1) }
        case .goodbye(let goodbye):
            if !goodbye.reason.isEmpty {
                lastGoodbye = goodbye.reason
                log.warning("a worker left: \(goodbye.reason)")
            }
            forget(worker)
            react { $0.workerLeft(worker, now: $1) }
        case nil: break
        }
    }

    private func greet(_ worker: WorkerID, _ hello: Hello, at address: [UInt8]) {
        guard hello.protocol == protocolVersion else {
            var refused = Coord_Wire_V1_Refused()
            refused.reason = "it speaks protocol \(hello.protocol), the coordinator \(protocolVersion)"
            refused.mend = "install the same version of coord on both hosts"
            return send(.refused(refused), to: address)
        }
        if let name = opened.job.transform, !hello.transforms.contains(name) {
            var refused = Coord_Wire_V1_Refused()
            refused.reason = "the job needs the transform \(name), which this worker does not have"
            refused.mend = "it has: \(hello.transforms.joined(separator: ", "))"
            lastGoodbye = refused.reason
            return send(.refused(refused), to: address)
        }
        if hello.ready, hello.run != opened.ownership.run.rawValue {
            var refused = Coord_Wire_V1_Refused()
            refused.reason = "it worked for run \(hello.run), and the coordinator leads run \(runNumber)"
            refused.mend = "start the worker again"
            return send(.refused(refused), to: address)
        }
        addresses[worker] = address
        var welcome = Coord_Wire_V1_Welcome()
        welcome.protocol = protocolVersion
        welcome.run = opened.ownership.run.rawValue
        welcome.systemIdentifier = opened.systemIdentifier
        welcome.database = opened.database
        welcome.heartbeatMs = UInt32(configuration.heartbeatInterval / .milliseconds(1))
        send(.welcome(welcome), to: address)
        guard hello.ready else { return }
        people[worker] = (hello.host, hello.pid)
        let isLocal = hello.host == HostName.current && local?.contains(hello.pid) == true
        if isLocal { local?.joined(hello.pid) }
        progress.workerJoined(worker, host: hello.host, pid: hello.pid, local: isLocal, now: now)
        progress.noted(machine.phase == .draining ? "draining: each worker finishes its batch" : nil)
        log.info("worker joined", metadata: ["host": "\(hello.host)", "pid": "\(hello.pid)"])
        react { $0.workerJoined(worker, credit: Int(hello.credit), now: $1) }
    }

    private func report(_ worker: WorkerID, _ heartbeat: Heartbeat) {
        let held = heartbeat.held.first
        progress.workerReported(
            worker, shard: held.map { ShardID($0.lease.shard) }, shardRowsDone: held?.rowsDone ?? 0,
            rssBytes: heartbeat.rssBytes, peakRSSBytes: heartbeat.peakRssBytes, now: now)
    }

    private func forget(_ worker: WorkerID) {
        addresses[worker] = nil
        people[worker] = nil
        progress.workerLeft(worker, now: now)
        enqueue(.left(worker))
    }

    private func send(_ body: FromCoordinator.OneOf_Body, to address: [UInt8]) {
        var message = FromCoordinator()
        message.body = body
        do {
            try socket?.send([address, message.encoded()])
        } catch let error as ZeroMQError where error.isUnreachable || error.isFull {
            // The worker is gone or stuck: its heartbeats, or their absence, say what follows.
            log.debug("not sent: \(error)")
        } catch {
            log.error("not sent: \(error)")
        }
    }

    private func send(_ body: FromCoordinator.OneOf_Body, to worker: WorkerID) {
        guard let address = addresses[worker] else { return }
        send(body, to: address)
    }

    // MARK: - The machine

    /// The machine's time: it stands still while this process does.
    var now: Duration { MonotonicTime.now() - origin - paused }

    private func react(_ event: (inout DispatchStateMachine, Duration) -> [DispatchAction]) {
        for action in event(&machine, now) { perform(action) }
    }

    private func perform(_ action: DispatchAction) {
        switch action {
        case .assign(let worker, let lease):
            var message = Coord_Wire_V1_Assign()
            message.lease = .init(lease)
            send(.assign(message), to: worker)
        case .revoke(let worker, let lease):
            var message = Coord_Wire_V1_Revoke()
            message.lease = .init(lease)
            send(.revoke(message), to: worker)
        case .rejoin(let worker): send(.rejoin(.init()), to: worker)
        case .drain(let worker): send(.drain(.init()), to: worker)
        case .dismiss(let worker):
            if let person = people[worker] {
                notify(.workerGone("worker \(person.host) pid \(person.pid) is silent: its shard goes to another"))
                // A process of ours that is frozen or stuck is replaced.
                if person.host == HostName.current { local?.kill(person.pid) }
            }
            forget(worker)
        case .recordLease, .recordAttempt, .confirm, .reload, .conclude: enqueue(.dispatch(action))
        case .finish(let result): conclude(result)
        }
    }

    private func tick() {
        if now - tickedAt > Self.pauseLimit { paused += now - tickedAt }
        let now = now
        tickedAt = now
        guard finishing == nil else { return finishTick(now) }
        if var workers = local {
            for exit in workers.reap(now: now) { exited(exit) }
            if workers.failures >= LocalWorkers.failureLimit {
                local = workers
                return end(.failure(CoordinatorError.workersCannotStart(reason: lastGoodbye)))
            }
            do {
                if machine.phase == .dispatching || machine.phase == .loading { try workers.fill(now: now) }
            } catch {
                log.error("\(error)")
            }
            local = workers
        }
        react { $0.timePassed(now: $1) }
        if now - renewedAt >= Self.renewInterval {
            renewedAt = now
            enqueue(.renew)
        }
        if now - notedAt >= Self.noteInterval {
            notedAt = now
            enqueue(.note)
        }
        if now - shownAt >= Self.progressInterval {
            shownAt = now
            notify(.progressed(snapshot()))
        }
    }

    private func exited(_ exit: LocalWorkers.Exit) {
        if exit.joined, machine.phase == .dispatching {
            notify(.workerGone("worker pid \(exit.pid) ended (\(exit.reason)): starting another"))
        }
        if !exit.joined, lastGoodbye.isEmpty { lastGoodbye = exit.reason }
        guard let worker = people.first(where: { $0.value.pid == exit.pid && $0.value.host == HostName.current })?.key
        else { return }
        forget(worker)
        react {
            $0.workerLeft(worker, as: AttemptEnd(.failed, error: "the worker's process ended: \(exit.reason)"), now: $1)
        }
    }

    private func snapshot() -> ProgressSnapshot {
        let counts = machine.counts
        progress.shardsCounted(
            pending: counts.pending, running: counts.running, done: counts.done, failed: counts.failed)
        let snapshot = progress.snapshot(now: now)
        rowsGauge.record(snapshot.rowsDone)
        return snapshot
    }

    // MARK: - The ledger

    private func enqueue(_ task: LedgerTask) {
        queue.append(task)
        guard !ledgerBusy else { return }
        ledgerBusy = true
        Task { await workQueue() }
    }

    private func workQueue() async {
        while !queue.isEmpty, continuation != nil {
            let task = queue.removeFirst()
            do {
                try await attempt(task)
            } catch let error as PostgresError {
                guard await ledgerFailed(error) else { break }
            } catch {
                end(.failure(error))
            }
        }
        ledgerBusy = false
    }

    /// Deadlocks and lock timeouts pass; a lease that waits for its row's lock ends the session that holds it.
    private func attempt(_ task: LedgerTask) async throws {
        var tries = 0
        while true {
            do {
                return try await carryOut(task)
            } catch let error as PostgresError where error.recovery == .retry && tries < Self.ledgerRetries {
                tries += 1
                log.info("the ledger is busy, trying again: \(error)")
                if case .dispatch(.recordLease(let shard, _, _)) = task { await endHolder(of: shard) }
                // A cancelled task only shortens the pause.
                try? await Task.sleep(for: .milliseconds(50 * tries))
            }
        }
    }

    /// The row of a shard that is to be leased is locked: its last worker's session may be stuck in a statement.
    private func endHolder(of shard: ShardID) async {
        let run = opened.ownership.run
        do {
            try await ledger.with { try $0.terminateHolder(of: shard, run: run) }
        } catch {
            // This role may not end that session; its statement timeout will.
            log.info("the session that holds shard \(shard) could not be ended: \(error)")
        }
    }

    private func carryOut(_ task: LedgerTask) async throws {
        switch task {
        case .dispatch(let action): try await carryOut(action)
        case .renew:
            let (ownership, rate) = (opened.ownership, snapshot().rowsPerSecond)
            guard !isOver else { return }
            let answer = try await ledger.with { try $0.renew(ownership, rowsPerSecond: rate) }
            guard let renewal = answer else {
                // While this process gives the run back, it is nobody's.
                if isOver { return }
                throw CoordinatorError.ousted
            }
            if renewal.cancelAsked {
                progress.noted("cancelling: each worker finishes its batch")
                react { $0.cancelRequested(now: $1) }
            }
        case .note:
            let records = progress.snapshot(now: now).workers.map { worker in
                WorkerRecord(
                    id: worker.id, host: worker.host, pid: worker.pid, shard: worker.shard, rowsDone: worker.rowsDone,
                    rowsPerSecond: worker.rowsPerSecond, rssBytes: worker.rssBytes, peakRSSBytes: worker.peakRSSBytes)
            }
            let run = opened.ownership.run
            try await ledger.with { try $0.note(records, of: run) }
        case .left(let worker):
            let run = opened.ownership.run
            try await ledger.with { try $0.noteLeft(worker, of: run) }
        }
    }

    private func carryOut(_ action: DispatchAction) async throws {
        let ownership = opened.ownership
        switch action {
        case .recordLease(let shard, let worker, let epoch):
            let leased = try await ledger.with { try $0.lease(shard, to: worker, after: epoch, ownership) }
            if let leased {
                react { $0.leaseRecorded(leased.lease, worker: worker, sequence: leased.sequence, now: $1) }
            } else {
                react { $0.leaseRefused(shard, worker: worker, now: $1) }
            }
        case .recordAttempt(let lease, let worker, let end):
            let attempts = end.outcome == .released ? 0 : opened.job.retry.attempts
            let recorded = try await ledger.with {
                try $0.recordAttempt(
                    lease, worker: worker, outcome: end.outcome.rawValue, error: end.error, permanent: end.permanent,
                    attempts: attempts, ownership)
            }
            if end.outcome != .released {
                attemptsEnded.increment()
                notify(
                    .attemptEnded(lease.shard, end.error ?? end.outcome.rawValue, failed: recorded?.state == .failed))
            }
            if let recorded {
                react { $0.attemptRecorded(lease, state: recorded.state, failures: recorded.failures, now: $1) }
            } else {
                try await carryOut(.confirm(lease.shard))
            }
        case .confirm(let shard):
            guard let record = try await ledger.with({ try $0.shard(shard, of: ownership.run) }) else { return }
            progress.shardRowsKnown(shard, rowsDone: record.rowsDone, by: record.owner)
            if record.state == .done { shardsDone.increment() }
            react { $0.shardRead(record, now: $1) }
        case .reload:
            let records = try await ledger.with { try $0.shards(of: ownership.run).map(\.record) }
            for record in records { progress.shardRowsKnown(record.id, rowsDone: record.rowsDone) }
            react { $0.shardsLoaded(records, now: $1) }
        case .conclude:
            guard let counts = try await ledger.with({ try $0.conclude(ownership) }) else {
                throw CoordinatorError.ousted
            }
            react {
                $0.runConcluded(
                    done: counts.done, failed: counts.failed, open: counts.pending + counts.running, now: $1)
            }
        case .assign, .revoke, .rejoin, .drain, .dismiss, .finish: break
        }
    }

    /// Waits until the ledger can be reached again, then reads it anew.
    /// - Returns: false when the coordinator has ended meanwhile.
    private func ledgerFailed(_ error: PostgresError) async -> Bool {
        queue.removeAll()
        machine.ledgerLost()
        guard error.recovery == .reconnect || error.recovery == .retry else {
            end(.failure(error))
            return false
        }
        notify(.ledgerLost(error.description))
        progress.noted("the database is away: trying again")
        let lostAt = now
        var pause = Duration.milliseconds(100)
        while continuation != nil {
            let ownership = opened.ownership
            do {
                guard try await ledger.with({ try $0.renew(ownership, rowsPerSecond: 0) }) != nil else {
                    try await notOurs()
                    return false
                }
                progress.noted(nil)
                queue.insert(.dispatch(.reload), at: 0)
                return true
            } catch {
                guard now - lostAt < configuration.ledgerPatience else {
                    end(.failure(CoordinatorError.ledgerAway(reason: "\(error)")))
                    return false
                }
                // A cancelled task only shortens the pause.
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(2))
            }
        }
        return false
    }

    /// The run has no owner or another. It may be this process that ended it, in a commit whose answer was lost.
    private func notOurs() async throws {
        let run = opened.ownership.run
        let record = try await ledger.with { try $0.run(run) }
        guard record.coordinator == nil, [.complete, .partial, .failed].contains(record.state) else {
            return end(.failure(CoordinatorError.ousted))
        }
        conclude(.concluded(done: record.counts.done, failed: record.counts.failed))
    }

    // MARK: - The end

    private var isOver: Bool { finishing != nil || outcome != nil }

    private func conclude(_ result: DispatchOutcome) {
        finishing = now
        for address in addresses.values { send(.drain(.init()), to: address) }
        let ownership = opened.ownership
        let state: RunRecord.State? =
            switch result {
            case .concluded: nil
            case .drained: .paused
            case .cancelled: .cancelled
            }
        Task {
            do {
                if let state { try await ledger.with { try $0.release(ownership, as: state) } }
            } catch {
                log.error("the run's state could not be written: \(error)")
            }
            outcome = state ?? .complete
        }
    }

    /// Workers leave by themselves; the ones that do not are ended.
    private func finishTick(_ now: Duration) {
        guard let finishing, outcome != nil else { return }
        if var workers = local {
            _ = workers.reap(now: now)
            local = workers
            guard workers.children.isEmpty || now - finishing > Self.farewell else { return }
        }
        let records = progress.peaks.map { worker in
            WorkerRecord(
                id: worker.id, host: worker.host, pid: worker.pid, rowsDone: worker.rowsDone,
                rssBytes: worker.rssBytes, peakRSSBytes: worker.peakRSSBytes)
        }
        let run = opened.ownership.run
        self.finishing = nil
        loop.onTick {}
        Task {
            // For `coord status` after the end; the run's own state is written already.
            do {
                try await ledger.with { store in
                    try store.note(records, of: run)
                    try store.noteAllLeft(run)
                }
            } catch {
                log.warning("the workers' last figures could not be written: \(error)")
            }
            end(.success(()))
        }
    }
}

extension CoordinatorService {
    /// For messages.
    public nonisolated var runNumber: RunID { opened.ownership.run }
}
