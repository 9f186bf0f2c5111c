import Host
import Ledger
import LedgerQueueing
import Logging
public import Report
public import ServiceLifecycle
public import Sharding
import Trust
import Wire
import ZeroMQ

/// One run's coordinator: links a `RunLeader` to its workers, to the ledger and to the clock.
///
/// The actor runs on the socket loop's thread. Work on the ledger is done on the ledger's own thread, everything else
/// at once. The actor tells the leader what has happened and carries out the leader's actions. Between the two it never
/// waits.
public actor CoordinatorService: Service {
    public struct Configuration: Sendable {
        /// The endpoint where foreign workers may join; nil for only a private ipc endpoint.
        public var listen: String?
        /// By which workers of other hosts are known at `listen`; nil where no keys are demanded.
        package var credentials: CoordinatorCredentials?
        public var heartbeatInterval = Duration.seconds(1)
        public var leaseDuration = Duration.seconds(10)

        package init(listen: String? = nil, credentials: CoordinatorCredentials? = nil) {
            self.listen = listen
            self.credentials = credentials
        }
    }

    private nonisolated let loop = SocketLoop(name: "coordinator")
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    let opened: RunOpening.Opened
    let ledger: LedgerService
    let log: Logger
    private let notify: @Sendable (RunEvent) -> Void
    private let metrics: RunMetrics
    private var clock = PausingClock()
    var leader: RunLeader
    private let link: WorkerLink
    private let listener: Listener
    private let gatekeeper: Gatekeeper?
    /// The local workers, whose number is kept; nil to wait for workers that join.
    private let local: LocalWorkers?
    /// The workers of other hosts that this coordinator starts there.
    private let hosts: RemoteHosts?
    /// Resumes `run` when the coordination has ended.
    private var continuation: CheckedContinuation<Void, any Error>?

    /// - Parameters:
    ///   - workers: the local workers, whose number is kept; nil to wait for workers that join.
    ///   - hosts: the workers to start on other hosts; nil for none.
    package init(
        configuration: Configuration, workers: sending LocalWorkers?, hosts: sending RemoteHosts? = nil,
        opening: RunOpening, opened: RunOpening.Opened, log: Logger, notify: @escaping @Sendable (RunEvent) -> Void
    ) {
        self.opened = opened
        self.log = log
        self.notify = notify
        ledger = opening.ledger
        metrics = RunMetrics(run: opened.ownership.run)
        var generator = SystemRandomNumberGenerator()
        leader = RunLeader(opened, configuration, hasLocalWorkers: workers != nil, seed: generator.next())
        let welcome = Welcome(
            run: opened.ownership.run, systemIdentifier: opened.systemIdentifier, database: opened.database,
            heartbeatInterval: configuration.heartbeatInterval, ledgerSchema: opening.ledger.schema.name,
            turnTaking: opened.turnTaking)
        let gatekeeper = configuration.credentials.map { Gatekeeper($0, log: log) }
        self.gatekeeper = gatekeeper
        link = WorkerLink(
            admission: Admission(welcome: welcome, transform: opened.job.transform),
            patience: configuration.leaseDuration, log: log, gatekeeper: gatekeeper
        ) { workers?.contains($0) == true }
        listener = Listener(listen: configuration.listen, gatekeeper: gatekeeper)
        local = workers
        self.hosts = hosts
    }

    /// The run's number, for messages.
    public nonisolated var runNumber: RunID { opened.ownership.run }

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

    /// Asks the workers to finish their batches, then stops. The run can be resumed.
    private func drain() { lead { $0.drainRequested(now: $1) } }

    /// Stops at once. Batches under way are rolled back or still commit by themselves. The run can be resumed.
    /// - Returns: the outcome as this process knows it, since the ledger may take long to answer.
    public func abort() -> RunOutcome {
        // The process takes a moment to end, and must not spawn others meanwhile.
        leader.serviceEnded()
        killLocal()
        hosts?.stop()
        listener.removeFolder()
        return known
    }

    private func start() {
        do {
            let (socket, endpoints) = try listener.open(on: loop, local: local)
            link.open(socket)
            loop.watch(socket) { [unowned self] in assumeIsolated { $0.receive() } }
            loop.onTick { [unowned self] in assumeIsolated { $0.tick() } }
            local?.admit()
            watchExits()
            for endpoint in endpoints { announce(.listening(endpoint)) }
            if let hosts, let gatekeeper { hosts.begin(at: endpoints, key: gatekeeper.own.publicKey) }
        } catch {
            return end(.failure(error))
        }
        lead { $0.began(now: $1) }
    }

    private func end(_ result: Result<Void, any Error>) {
        guard let continuation else { return }
        self.continuation = nil
        leader.serviceEnded()
        killLocal()
        hosts?.stop()
        link.close()
        listener.close(on: loop)
        loop.terminate()
        continuation.resume(with: result)
    }

    // MARK: - What happens

    /// The time of all events in this actor. It stands still while the process is frozen.
    var now: Duration { clock.read() }

    private func receive() {
        let now = now
        link.receive(now: now) { heard($0) }
    }

    private func heard(_ event: LinkEvent) {
        if event.isLocal, case .joined(let process, _) = event.kind { local?.joined(process.pid) }
        lead { $0.heard(event, now: $1) }
    }

    private func tick() {
        reap()
        lookAtHosts()
        for event in link.timePassed(now: now) { heard(event) }
        lookAtKeys()
        if leader.ending == .ahead { listener.reportRefusals(now: now, to: log) }
        if local?.cannotStart == true { lead { $0.workersCannotStart(now: $1) } }
        if leader.wantsWorkers { fill() }
        lead { $0.timePassed(now: $1) }
    }

    private func lookAtKeys() {
        guard let gatekeeper else { return }
        for revocation in gatekeeper.timePassed(now: now) {
            for event in link.revoked(revocation, now: now) { heard(event) }
        }
        for stranger in gatekeeper.takeStrangers() {
            announce(.strangerRefused(key: "\(stranger.key)", address: stranger.address))
        }
    }

    private func lookAtHosts() {
        guard let hosts else { return }
        for event in hosts.timePassed(now: now) {
            switch event {
            case .started(let host, let workers): announce(.hostStarted(host, workers: workers))
            case .lost(let host, let reason, let pause): announce(.hostLost(host, reason: reason, retryIn: pause))
            case .said(let host, let line): log.error("host \(host): \(line)")
            }
        }
        if leader.isWindingDown { hosts.leave() }
        let troubles = hosts.troubles.map {
            HostTrouble(host: $0.host, reason: $0.trouble.reason, retryAt: $0.trouble.retryAt)
        }
        lead { leader, _ in leader.hostsLookedAt(troubles) }
    }

    private func reap() {
        for exit in local?.reap(now: now) ?? [] {
            loop.unwatch(descriptor: exit.descriptor)
            let worker = link.processEnded(exit.pid)
            let failures = local?.failures ?? 0
            lead {
                $0.processEnded(
                    exit.pid, worker: worker, hadJoined: exit.joined, reason: exit.reason, failures: failures, now: $1)
            }
        }
    }

    private func fill() {
        local?.fill(now: now)
        let fault = local?.spawnFault
        lead { $0.workersSpawned(fault: fault, now: $1) }
        watchExits()
    }

    private func killLocal() {
        for descriptor in local?.killAll() ?? [] { loop.unwatch(descriptor: descriptor) }
    }

    /// Arranges that `tick` runs as soon as a local worker's process has ended.
    private func watchExits() {
        for descriptor in local?.takeUnwatched() ?? [] {
            loop.watch(descriptor: descriptor) { [unowned self] in
                assumeIsolated { service in
                    service.local?.exitSeen(descriptor)
                    service.tick()
                }
            }
        }
    }

    // MARK: - What the leader says

    private func lead(_ event: (inout RunLeader, Duration) -> [LeaderAction]) {
        for action in event(&leader, now) { perform(action) }
        guard let since = leader.ending.since else { return }
        // A worker must read its farewell before the connection closes. Otherwise it would look for a coordinator for
        // minutes.
        let areGone = local?.isEmpty != false && !link.hasForeign(at: since) && hosts?.areOver != false
        let actions = leader.workersLookedAfter(haveSaidGoodbye: link.isEmpty, areGone: areGone, now: now)
        for action in actions { perform(action) }
    }

    private func perform(_ action: LeaderAction) {
        switch action {
        case .send(let message, let worker): link.send(message, to: worker)
        case .changeTurns(let taking): link.turnsChange(to: taking)
        case .dismissAll: link.sendToAll(.drain)
        case .dismiss(let worker): dismiss(worker)
        case .ask(let task): Task { await ask(task) }
        case .inquire: Task { await inquire() }
        case .pause(let pause):
            Task {
                // A cancelled task only shortens the pause.
                try? await Task.sleep(for: pause)
                lead { $0.pauseEnded(now: $1) }
            }
        case .endHolder(let shard): Task { await endHolder(of: shard) }
        case .writeFigures(let records): Task { await write(records) }
        case .announce(let event): announce(event)
        case .log(let level, let text): log.log(level: level, "\(text)")
        case .end(.finished): end(.success(()))
        case .end(.stopped(let error)): end(.failure(error))
        case .end(.failed(let failure)): end(.failure(failure.error))
        }
    }

    private func announce(_ event: RunEvent) {
        metrics.happened(event)
        notify(event)
    }

    private func dismiss(_ worker: WorkerID) {
        guard let peer = link.forget(worker), let process = peer.process else { return }
        announce(.workerDismissed(process))
        // A local process that is frozen or stuck is killed, and then replaced.
        if peer.isLocal { local?.kill(process.pid) }
    }

    // MARK: - The ledger

    private func ask(_ task: LedgerTask) async {
        do {
            let figures = leader.figures(for: task, now: now)
            let answer = try await ledger.perform(task, opened.ownership, figures: figures)
            metrics.answered(answer)
            lead { $0.answered(answer, now: $1) }
        } catch {
            lead { $0.failed(LedgerFailure(error), now: $1) }
        }
    }

    private func inquire() async {
        do {
            let standing = try await ledger.standing(opened.ownership)
            lead { $0.standingRead(standing, now: $1) }
        } catch {
            lead { $0.failed(LedgerFailure(error), now: $1) }
        }
    }

    /// Ends the session of a shard's last worker. The shard is to be leased, but its row is locked: that session may be
    /// stuck in a statement.
    private func endHolder(of shard: ShardID) async {
        let run = opened.ownership.run
        do {
            try await ledger.with { try $0.terminateHolder(of: shard, run: run) }
        } catch {
            // If this role may not end the session, the session's own statement timeout will.
            log.info("the session that holds shard \(shard) could not be ended: \(error)")
        }
    }

    private func write(_ records: [WorkerRecord]) async {
        let run = opened.ownership.run
        do {
            try await ledger.with { try $0.noteEnd(records, of: run) }
        } catch {
            log.warning("the workers' last figures could not be written: \(error)")
        }
        lead { $0.figuresWritten(now: $1) }
    }
}
