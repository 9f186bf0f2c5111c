import Compute
public import CoordKit
import Glibc
import Host
public import Logging
public import Postgres
public import ServiceLifecycle
public import Sharding
import Synchronization
import Wire
import WorkerLoop
import ZeroMQ

/// One worker process: links a `WorkerLoopStateMachine` to a DEALER socket and to PostgreSQL.
///
/// The actor runs on the socket loop's thread; batches run on a thread of their own, so that heartbeats go on while one
/// takes long. Both threads tell the machine what happened, one at a time under its lock; see `WorkerService+Steps`.
public actor WorkerService: Service {
    public struct Configuration: Sendable {
        /// Where the coordinator may be; at least one.
        public var addresses: [CoordinatorAddress]
        public var connection: PostgresConnection.Settings
        /// Where this worker reads its job and enters its batches.
        public var ledgerSchema: LedgerSchema
        public var build: String
        /// This program, when it is coord: compute programs are then started so that they end with the worker.
        public var executable: String?
        /// End at once when standard input comes to its end: the coordinator that spawned this process holds the
        /// other side.
        public var endsWithInput: Bool
        /// Leave when no coordinator was heard for longer.
        public var giveUpAfter: Duration

        public init(
            addresses: [CoordinatorAddress], connection: PostgresConnection.Settings,
            ledgerSchema: LedgerSchema = .standard,
            build: String, executable: String? = nil, endsWithInput: Bool = false, giveUpAfter: Duration = .seconds(300)
        ) {
            self.addresses = addresses
            self.connection = connection
            self.ledgerSchema = ledgerSchema
            self.build = build
            self.executable = executable
            self.endsWithInput = endsWithInput
            self.giveUpAfter = giveUpAfter
        }
    }

    /// Milliseconds that the last messages may take to leave.
    static let farewellMilliseconds: Int32 = 1_000
    static let prepareInterval = Duration.seconds(1)
    static let standingInterval = Duration.seconds(1)
    /// Characters of a reason in a heartbeat.
    static let wordsLimit = 500

    /// By which one step is told from the next.
    private struct StepMark: Equatable {
        var step: String
        var sequence: Int64
    }

    /// How long a HELLO may be without an answer.
    static let helloInterval = Duration.milliseconds(250)

    nonisolated let loop = SocketLoop(name: "worker", tickInterval: 100)
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let configuration: Configuration
    private let transforms: [RowTransform]
    let log: Logger
    private let joined: @Sendable (RunID) -> Void
    private let stands: @Sendable (WorkerStanding) -> Void
    private let id: WorkerID
    private let seed: UInt64
    let runner: BatchRunner
    private let origin = MonotonicTime.now()
    let shared = Mutex(Shared())
    /// The socket, and what is known of its connection; see `WorkerService+Connection`.
    var connection: Connection
    /// The coordinator has said which run this is, and the machine is there.
    private(set) var prepared = false
    /// The run that it works for, once the coordinator has named it.
    public private(set) var run: RunID?
    private var preparing = false
    /// Why the last try to prepare failed.
    private var problem: String?
    private var draining = false
    private var greetedAt: Duration?
    private var program: ProgramMemory?
    /// How long a step can take by its own limits.
    private var stepLimit = Duration.zero
    private var toldAt: Duration?
    private var stepMark: (mark: StepMark, since: Duration)?
    private(set) var ended: Result<WorkerStop, any Error>?
    private var continuation: CheckedContinuation<WorkerStop, any Error>?

    /// - Parameters:
    ///   - joined: called once this worker is ready for leases of the run.
    ///   - stands: called about once a second by the loop that does everything but the steps themselves.
    public init(
        configuration: Configuration, transforms: [RowTransform], log: Logger,
        joined: @escaping @Sendable (RunID) -> Void = { _ in },
        stands: @escaping @Sendable (WorkerStanding) -> Void = { _ in }
    ) {
        self.joined = joined
        self.stands = stands
        self.configuration = configuration
        connection = Connection(book: AddressBook(configuration.addresses))
        self.transforms = transforms
        self.log = log
        var generator = SystemRandomNumberGenerator()
        id = WorkerID.random(using: &generator)
        seed = generator.next()
        runner = BatchRunner(
            settings: configuration.connection, ledger: configuration.ledgerSchema, worker: id, transforms: transforms,
            leash: configuration.executable)
    }

    /// Works until it is drained, refused or abandoned.
    /// - Throws: `WorkerError` when it cannot work for this coordinator.
    public func run() async throws {
        let stop: WorkerStop
        do {
            stop = try await work()
        } catch {
            await runner.end()
            throw error
        }
        await runner.end()
        switch stop {
        case .drained: log.info("drained")
        case .refused(let reason):
            throw WorkerError(.refused, description: "the coordinator refused this worker: \(reason)")
        case .abandoned:
            throw WorkerError(
                .abandoned,
                description: problem.map { "cannot prepare for the run: \($0)" }
                    ?? "no coordinator was heard at \(connection.book.names) for \(configuration.giveUpAfter)"
                    + (connection.book.reasons.isEmpty ? "" : ": \(connection.book.reasons)"))
        }
    }

    private func work() async throws -> WorkerStop {
        try await withGracefulShutdownHandler {
            try await withCheckedThrowingContinuation { continuation in
                self.continuation = continuation
                start()
            }
        } onGracefulShutdown: {
            Task { await self.drain() }
        }
    }

    /// Finishes the batch in hand, gives the lease back and leaves.
    public func drain() {
        draining = true
        guard prepared else {
            if greetedAt != nil { send(.goodbye(reason: "")) }
            return finish(.success(.drained))
        }
        react { $0.drainRequested(now: $1) }
    }

    /// Ends this process after the coordinator that spawned it, whose endpoint goes too.
    public static func endWithoutCoordinator(endpoint: String) -> Never {
        PrivateEndpoint.remove(endpoint)
        _exit(0)
    }

    // MARK: - Socket

    private func start() {
        do {
            try openSocket()
        } catch {
            return finish(.failure(error))
        }
        if configuration.endsWithInput {
            let endpoint = connection.book.place.endpoint
            // Nothing more is written to it: it can be read only at its end.
            loop.watch(descriptor: STDIN_FILENO) { Self.endWithoutCoordinator(endpoint: endpoint) }
        }
        loop.onTick { [unowned self] in assumeIsolated { $0.tick() } }
    }

    private func send(_ message: WorkerMessage) {
        do {
            try connection.socket?.send([message.encoded(by: id)])
        } catch let error as ZeroMQError where error.isFull {
            // No coordinator is connected. Heartbeats repeat what matters.
            log.debug("not sent: \(error)")
        } catch {
            log.error("not sent: \(error)")
        }
    }

    func receive() {
        do {
            while let frames = try connection.socket?.receive()?.frames {
                guard let frame = frames.last else { continue }
                do {
                    take(try CoordinatorMessage.decode(frame))
                } catch {
                    log.warning("a message was dropped: \(error)")
                }
            }
        } catch {
            log.error("cannot receive: \(error)")
        }
    }

    private func take(_ message: CoordinatorMessage) {
        guard ended == nil else { return }
        switch message {
        case .welcome(let welcome): welcomed(welcome)
        case .refused(let refusal):
            let reason = [refusal.reason, refusal.mend].filter { !$0.isEmpty }.joined(separator: "; ")
            finish(.success(.refused(reason: reason)))
        case .assign(let lease, let batchRows): react { $0.leaseAssigned(lease, batchRows: batchRows, now: $1) }
        case .revoke(let lease): react { $0.leaseRevoked(lease, now: $1) }
        case .drain: drain()
        case .rejoin: react { $0.rejoinRequested(now: $1) }
        case .alive(let taking): react { $0.turnTakingTold(taking, now: $1) }
        case .turn(let slice, let rows): react { $0.turnGranted(for: slice, rows: rows, now: $1) }
        }
    }

    // MARK: - Joining

    func greet() {
        greetedAt = now
        send(.hello(hello(ready: false)))
    }

    private func hello(ready: Bool) -> Hello {
        Hello(
            build: configuration.build, host: HostName.current, pid: getpid(), transforms: transforms.map(\.name),
            isReady: ready, run: run, problem: ready ? nil : problem)
    }

    private func welcomed(_ welcome: Welcome) {
        let run = welcome.run
        if prepared {
            guard run == self.run else { return leave("the coordinator leads run \(run) now") }
            return react { $0.turnTakingTold(welcome.turnTaking, now: $1) + $0.welcomed(now: $1) }
        }
        guard !preparing else { return }
        // Another ledger of the database has runs of the same numbers. It is not simply taken: what a job says is carried out
        // with this worker's rights, and its own configuration says whose job it may be.
        let theirs = welcome.ledgerSchema
        guard theirs.isExactly(configuration.ledgerSchema.name) else {
            return leave(
                "this worker's ledger is in the schema \(configuration.ledgerSchema), and the run's in "
                    + "\(LedgerSchema(theirs)?.quoted ?? theirs): "
                    + "start it with --ledger-schema, or with COORD_LEDGER_SCHEMA in its environment")
        }
        preparing = true
        self.run = run
        Task {
            do {
                let assignment = try await runner.prepare(
                    run: run, systemIdentifier: welcome.systemIdentifier, database: welcome.database)
                prepared(assignment, welcome)
            } catch let error as PostgresError where error.recovery == .reconnect || error.recovery == .retry {
                log.warning("cannot prepare for run \(run), trying again: \(error)")
                problem = "\(error)"
                // Said at once: whoever started this worker waits for it.
                greet()
                // A cancelled task only shortens the pause.
                try? await Task.sleep(for: Self.prepareInterval)
                preparing = false
            } catch {
                leave(
                    "\((error as? StepError)?.message ?? "\(error)")", sqlState: StepError(error).cause.sqlState)
            }
        }
    }

    /// Tells the coordinator why this worker cannot work for it, and ends.
    private func leave(_ reason: String, sqlState: String? = nil) {
        send(.goodbye(reason: reason))
        finish(.failure(WorkerError(.unfit, description: reason, sqlState: sqlState)))
    }

    private func prepared(_ assignment: BatchRunner.Assignment, _ welcome: Welcome) {
        guard ended == nil else { return }
        let machine = WorkerLoopStateMachine(
            configuration: WorkerLoopStateMachine.Configuration(
                mode: assignment.mode, retry: assignment.retry, heartbeatInterval: welcome.heartbeatInterval,
                giveUpAfter: configuration.giveUpAfter, turnTaking: welcome.turnTaking), seed: seed)
        shared.withLock { $0.machine = machine }
        program = assignment.program
        stepLimit = assignment.stepLimit
        prepared = true
        if let run { joined(run) }
        react { $0.started(now: $1) }
        if draining { drain() }
    }

    // MARK: - The machine

    nonisolated var now: Duration { MonotonicTime.now() - origin }

    private func tick() {
        guard ended == nil else { return }
        tellStanding()
        lookAtConnection()
        guard ended == nil else { return }
        guard !prepared else { return react { $0.timePassed(now: $1) } }
        if now > configuration.giveUpAfter { return finish(.success(.abandoned)) }
        if let greetedAt, now - greetedAt >= Self.helloInterval, !preparing { greet() }
    }

    private func tellStanding() {
        if let toldAt, now - toldAt < Self.standingInterval { return }
        toldAt = now
        stands(standing)
    }

    private var standing: WorkerStanding {
        guard let run else { return .seeking(connection.book.names) }
        guard prepared else { return .preparing(run, problem: problem) }
        let (step, isExcused) = shared.withLock { shared in
            (shared.machine?.step ?? "", shared.machine?.isExcused ?? true)
        }
        // The mark is set once a second, with the heartbeat.
        let time = stepMark.map { $0.mark.step == step ? now - $0.since : .zero } ?? .zero
        // Without a lease, or for its turn, a worker waits as long as it takes.
        let isBounded = !isExcused && !["idle", "queued"].contains(step)
        return .working(
            run, step: step, seconds: time.components.seconds, isOverdue: isBounded && time > stepLimit)
    }

    func perform(_ action: WorkerAction) {
        switch action {
        case .step(let step): Task { await runner.perform { self.carryOut(step, $0) } }
        case .tell(let report): tell(report)
        case .reconnect:
            log.warning("the coordinator is silent: connecting anew")
            connection.book.unreachable()
            do { try openSocket() } catch { finish(.failure(error)) }
        case .stop(let stop): finish(.success(stop))
        }
    }

    private func tell(_ report: WorkerReport) {
        switch report {
        case .hello: send(.hello(hello(ready: true)))
        case .heartbeat(let held): send(.heartbeat(heartbeat(held)))
        case .shardDone(let lease): send(.shardDone(lease))
        case .shardFailed(let lease, let error):
            let scope = error.kind.scope
            send(.shardFailed(ShardFailure(lease: lease, error: error.message, scope: scope, cause: error.told)))
        case .leaseReleased(let lease): send(.leaseReleased(lease))
        case .leaseLost(let lease): send(.leaseLost(lease))
        case .turnWanted: send(.turnWanted(rows: rowsWritten))
        case .turnEnded: send(.turnEnded(rows: rowsWritten))
        case .goodbye:
            // With the memory's peak, for the summary.
            send(.heartbeat(heartbeat(nil)))
            send(.goodbye(reason: ""))
        }
    }

    private var rowsWritten: Int64 { shared.withLock { $0.machine?.rowsWritten ?? 0 } }

    private func heartbeat(_ held: HeldLease?) -> Heartbeat {
        var message = Heartbeat(held: held.map { [$0] } ?? [])
        shared.withLock { shared in
            guard let machine = shared.machine else { return }
            message.wait = machine.wait.map { wait in
                WorkerWait(words: String(wait.words.prefix(Self.wordsLimit)), cause: wait.cause)
            }
            message.isExcused = machine.isExcused
            message.step = machine.step
        }
        // As a heartbeat comes once a second, that is how exact this is.
        let mark = StepMark(step: message.step, sequence: held?.sequence ?? 0)
        if stepMark?.mark != mark { stepMark = (mark, now) }
        message.stepSeconds = Int((now - (stepMark?.since ?? now)).components.seconds)
        let memory = ProcessMemory.read()
        message.rssBytes = memory.rss
        message.peakRSSBytes = memory.peak
        message.programRSSBytes = program?.residentBytes ?? 0
        return message
    }

    func finish(_ result: Result<WorkerStop, any Error>) {
        guard ended == nil else { return }
        ended = result
        // What is under way on the other thread ends with its step.
        shared.withLock { $0.machine = nil }
        closeSocket(linger: Self.farewellMilliseconds)
        loop.terminate()
        continuation?.resume(with: result)
        continuation = nil
    }
}

/// Why a worker cannot work.
public struct WorkerError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: String, Sendable, CaseIterable {
        /// The coordinator answered HELLO with a refusal.
        case refused
        /// No address has a coordinator that allows this worker's key, and whose key this worker expects.
        case unauthorized
        /// No coordinator was heard, or the run could not be prepared for, within the limit.
        case abandoned
        /// It cannot work for this run, such as from another database.
        case unfit
    }

    public var kind: Kind
    public var description: String
    /// PostgreSQL's code, where it is the server that has refused something.
    public var sqlState: String?

    init(_ kind: Kind, description: String, sqlState: String? = nil) {
        self.kind = kind
        self.description = description
        self.sqlState = sqlState
    }
}
