import CoordKit
import Job
import Ledger
import Postgres
import Preflight
import Sharding
import WorkerLoop

/// What a batch's commit gave.
struct CommitResult: Sendable {
    var position: Position
    var done: Bool
    var read: ReadSummary?
}

/// Carries out a worker's steps on its one connection: open, apply, read, compute, write.
///
/// It runs on a thread of its own, since every step blocks. After an error the connection is discarded, unless the
/// server merely rolled a statement back.
actor BatchRunner {
    private let executor = ThreadExecutor(name: "batches")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let settings: PostgresConnection.Settings
    private let worker: WorkerID
    private let transforms: [RowTransform]
    /// This program, to start compute programs that end with it.
    private let leash: String?
    private var run: RunID?
    private var job: Job?
    private var connection: PostgresConnection?
    private var statements: BatchStatements?
    private var compute: (any BatchCompute)?
    private var parameters = PostgresParameters()
    private var reader: BatchReader?
    private var range = KeyRange.everything
    private var held: HeldBatch?
    private var prefetched: HeldBatch?
    private var computed: RowBatch?
    private var setBased = SetBasedLimits(rows: 1, bytes: nil)
    private var computeTimeout = Duration.zero
    private var searchPath: String?
    private var extras: [String] = []

    init(
        settings: PostgresConnection.Settings, worker: WorkerID, transforms: [RowTransform], leash: String?
    ) {
        self.leash = leash
        self.settings = settings
        self.worker = worker
        self.transforms = transforms
    }

    // MARK: - Preparing

    /// What a worker must know before it can take leases.
    struct Assignment: Sendable {
        var mode: WorkerLoopStateMachine.Mode
        var retry: Sharding.RetryPolicy
    }

    /// Reads the run's job from the ledger and gets ready for it.
    func prepare(run: RunID, systemIdentifier: String, database: String) throws -> Assignment {
        // Statements are prepared for one run's job.
        if self.run != run { connection = nil }
        self.run = run
        let connection = try connected()
        let here = try connection.execute(
            "SELECT system_identifier, current_database(), pg_is_in_recovery() FROM pg_control_system()")
        guard here.bool(0, 2) != true else {
            throw StepError(.permanent, "this worker's connection goes to a standby, where nothing can be written")
        }
        guard here.text(0, 0) == systemIdentifier, here.text(0, 1) == database else {
            throw StepError(
                .permanent,
                "this worker's connection goes to another database than the coordinator's: \(here.text(0, 1) ?? "?") "
                    + "of cluster \(here.text(0, 0) ?? "?") instead of \(database) of cluster \(systemIdentifier)")
        }
        let definition = try LedgerStore(connection).definition(of: run)
        let job = try Job.parse(text: definition.text, file: definition.name, directory: definition.directory)
        searchPath = definition.searchPath
        try setUp(connection)
        let target = try Preflight.target(job, table: definition.table, connection)
        let statements = BatchStatements(target: target, mechanisms: Self.mechanisms)
        self.job = job
        self.statements = statements
        let retry = RetryPolicy(job)
        switch (job.change, target.change) {
        case (.compute(let wanted), .compute(let read, let writes)):
            compute = try makeCompute(job, wanted, target: target, read: read, writes: writes)
            computeTimeout = wanted.timeout
            extras = statements.session
            try setUp(connection)
            reader = BatchReader(statements: statements, limits: job.batch, columns: read.count + systemColumns)
            return Assignment(mode: .rowBased, retry: retry)
        default:
            setBased = try SetBasedLimits(job.batch, target, connection)
            return Assignment(mode: .setBased, retry: retry)
        }
    }

    private func makeCompute(
        _ job: Job, _ wanted: Job.Compute, target: Target, read: [Target.Column], writes: [Target.Column]
    ) throws -> any BatchCompute {
        switch wanted.program {
        case .transform(let name):
            guard let transform = transforms.first(where: { $0.name == name }) else {
                throw StepError(.permanent, "this worker has no transform named \(name)")
            }
            return TransformCompute(transform: transform, read: read.map(\.name), writes: writes.count)
        case .command(let command):
            return CommandCompute(
                command: command, directory: job.directory, timeout: wanted.timeout, target: target, read: read,
                writes: writes, batchRows: job.batch.rows, batchBytes: job.batch.bytes, leash: leash)
        }
    }

    /// All of them, except in a debug build whose test takes one away to prove that it is needed.
    private static var mechanisms: Mechanisms {
        #if DEBUG
            return TestSwitches.mechanisms
        #else
            return .all
        #endif
    }

    private func connected() throws -> PostgresConnection {
        if let connection, connection.isAlive { return connection }
        connection = nil
        let fresh = try PostgresConnection(settings)
        try setUp(fresh)
        connection = fresh
        return fresh
    }

    /// What the run's job asks of a session beyond the common settings.
    private func setUp(_ connection: PostgresConnection) throws {
        if let searchPath {
            try connection.execute("SELECT set_config('search_path', $1, false)", [searchPath])
        }
        for statement in extras { try connection.execute(statement) }
    }

    // MARK: - Steps

    /// Runs a step on this actor's thread, with no detour over another.
    func perform<R: Sendable>(_ body: @Sendable (isolated BatchRunner) throws -> R) rethrows -> R { try body(self) }

    func open(_ lease: Lease) throws -> Position {
        try step {
            guard let run else { throw StepError(.permanent, "no run was assigned") }
            discard()
            let store = LedgerStore(try connected())
            guard let opening = try store.open(lease, owner: worker, run: run) else {
                throw StepError(.leaseLost, "\(lease) belongs to somebody else by now")
            }
            range = opening.range
            return Position(
                checkpoint: opening.checkpoint, deferred: opening.deferred, sequence: opening.sequence,
                rowsDone: opening.rowsDone)
        }
    }

    func apply(_ lease: Lease, _ position: Position) throws -> CommitResult {
        try step {
            let (connection, statements) = try ready()
            let lower = position.checkpoint ?? range.after
            let upper = range.through
            begin(lease, position)
            if let lower { parameters.append(lower.components[0]) }
            if let upper { parameters.append(upper.components[0]) }
            parameters.append(setBased.rows - 1)
            if let bytes = setBased.bytes { parameters.append(bytes) }
            let name = "coord_apply_\(lower == nil ? 0 : 1)\(upper == nil ? 0 : 1)"
            try connection.prepare(
                name,
                statements.apply(
                    hasLower: lower != nil, hasUpper: upper != nil, byBytes: setBased.bytes != nil))
            let result = try connection.executePrepared(name, "", parameters)
            guard result.rows == 1 else { throw StepError(.leaseLost, "\(lease) was refused by the fence") }
            return CommitResult(
                position: Position(
                    checkpoint: result.text(0, 0).map { Key($0) }, sequence: result.int(0, 1) ?? 0,
                    rowsDone: result.int(0, 2) ?? 0),
                done: result.bool(0, 3) ?? false)
        }
    }

    func read(_ lease: Lease, _ position: Position, locking: Bool) throws -> ReadSummary {
        try step {
            let (connection, _) = try ready()
            guard let reader else { throw StepError(.permanent, "the job reads nothing") }
            if locking {
                try connection.execute("BEGIN")
                // The one transaction that is open while the program computes: for as long as that may take.
                let seconds = computeTimeout.components.seconds + Int64(PostgresSession.statementTimeoutSeconds)
                try connection.execute("SET LOCAL idle_in_transaction_session_timeout = '\(seconds)s'")
            }
            let batch = try reader.read(range, position, locking: locking, connection)
            held = batch
            return batch.summary
        }
    }

    func computeBatch() throws {
        guard let held, let compute else { throw StepError(.permanent, "no batch to compute") }
        guard held.rows.rows > 0 else {
            computed = nil
            return
        }
        do {
            computed = try compute.compute(held.rows)
        } catch let error as ComputeError {
            // A transaction that a locking read opened must not outlive the batch.
            if held.locked { connection = nil }
            throw StepError(.program, error.description)
        }
    }

    func write(_ lease: Lease, _ position: Position, readNext: Bool) throws -> CommitResult {
        try step {
            let (connection, statements) = try ready()
            guard let batch = held, let reader else { throw StepError(.permanent, "no batch to write") }
            try encode(lease, position, batch, statements.target)
            try connection.prepare("coord_write", statements.write())
            var next: BatchReader.Request?
            if readNext {
                let behind = Position(
                    checkpoint: batch.summary.through ?? position.checkpoint,
                    deferred: position.deferred.filter {
                        !batch.deferred.contains($0)
                    })
                next = try reader.prepare(range, behind, locking: false, connection)
            }
            let result: PostgresResult
            (result, prefetched) = try exchange(connection, reader, next)
            if batch.locked { try connection.execute("COMMIT") }
            guard result.rows == 1 else { throw StepError(.leaseLost, "\(lease) was refused by the fence") }
            held = prefetched
            prefetched = nil
            computed = nil
            return CommitResult(
                position: Position(
                    checkpoint: result.text(0, 0).map { Key($0) },
                    deferred: (PostgresArray.parse(result.text(0, 4) ?? "{}") ?? []).compactMap { $0.map { Key($0) } },
                    sequence: result.int(0, 1) ?? 0, rowsDone: result.int(0, 2) ?? 0),
                done: result.bool(0, 3) ?? false, read: held?.summary)
        } onError: { error in
            // A value that its column cannot take is the program's doing, not the table's.
            if let error = error as? PostgresError, error.sqlState?.hasPrefix("22") == true {
                return refusal("\(error); batch rolled back")
            }
            if let error = error as? ValueEncoder.Fault {
                return refusal("\(error.reason); nothing written")
            }
            return nil
        }
    }

    private func refusal(_ reason: String) -> StepError {
        let words = [reason, compute?.epitaph].compactMap { $0 }.joined(separator: "; ")
        return StepError(.program, "the program's answer was refused: \(words)")
    }

    func discard() {
        if held?.locked == true { connection = nil }
        held = nil
        prefetched = nil
        computed = nil
    }

    /// Ends the compute program and the session, so that neither outlives the worker.
    func end() {
        discard()
        compute = nil
        connection = nil
    }

    // MARK: - Private

    private func ready() throws -> (PostgresConnection, BatchStatements) {
        guard let statements else { throw StepError(.permanent, "no job was assigned") }
        return (try connected(), statements)
    }

    /// The parameters that every write begins with.
    private func begin(_ lease: Lease, _ position: Position) {
        parameters.removeAll()
        parameters.append(run?.description)
        parameters.append(lease.shard.description)
        parameters.append(lease.epoch.description)
        parameters.append(worker.rawValue)
        parameters.append(position.sequence)
    }

    private func encode(_ lease: Lease, _ position: Position, _ batch: HeldBatch, _ target: Target) throws {
        guard case .compute(_, let writes) = target.change else { return }
        begin(lease, position)
        parameters.append(batch.summary.through?.components[0])
        parameters.append(batch.summary.exhausted ? "t" : "f")
        parameters.beginArray(elementType: ElementType.text.rawValue)
        for key in batch.deferred {
            Array(key.components[0].utf8).withUnsafeBytes { parameters.appendElement($0) }
        }
        parameters.endArray()
        let rows = batch.rows.rows
        try ValueEncoder.append(
            batch.rows, column: 0, rows: rows, as: ElementType.of(keyType: target.keyType), to: &parameters)
        try ValueEncoder.append(batch.rows, column: 1, rows: rows, as: .xid, to: &parameters)
        try ValueEncoder.append(batch.rows, column: 2, rows: rows, as: .tid, to: &parameters)
        let values = computed ?? RowBatch(columns: writes.count)
        for (index, column) in writes.enumerated() {
            do {
                try ValueEncoder.append(
                    values, column: index, rows: rows, as: ElementType.of(column), to: &parameters)
            } catch let fault as ValueEncoder.Fault {
                throw ValueEncoder.Fault(reason: "column \(column.name), \(fault.reason)")
            }
        }
    }

    /// One round trip: the write, and the next read when one is due. They are transactions of their own.
    private func exchange(_ connection: PostgresConnection, _ reader: BatchReader, _ next: BatchReader.Request?) throws
        -> (PostgresResult, HeldBatch?)
    {
        guard let next else { return (try connection.executePrepared("coord_write", "", parameters), nil) }
        try connection.enterPipeline()
        try connection.send(prepared: "coord_write", parameters)
        try connection.sync()
        try reader.send(next, connection)
        var failure: PostgresError?
        var result: PostgresResult?
        do { result = try connection.nextResult() } catch { failure = error }
        try connection.nextSync()
        let batch = try reader.receive(next, connection)
        try connection.leavePipeline()
        if let failure { throw failure }
        guard let result else { throw PostgresError(sqlState: nil, message: "no result for a batch") }
        return (result, batch)
    }

    /// Runs a step and turns whatever it throws into what the state machine understands.
    private func step<R>(_ body: () throws -> R, onError: (any Error) -> StepError? = { _ in nil }) throws -> R {
        do {
            return try body()
        } catch {
            let translated = onError(error) ?? StepError(error)
            let isRollback = (error as? PostgresError).map { $0.recovery != .reconnect } ?? false
            // In doubt about the connection's state, a new one is cheap.
            if !isRollback || held != nil || reader != nil { connection = nil }
            throw translated
        }
    }
}

extension StepError {
    /// The one place that says what may be done about an error of a step.
    init(_ error: any Error) {
        switch error {
        case let error as StepError: self = error
        case let error as PostgresError:
            let effect = "batch rolled back, nothing written"
            switch error.recovery {
            case .retry: self.init(.retryable, "\(error); \(effect)")
            case .reconnect: self.init(.connectionLost, error.description)
            case .authorize, .permanent: self.init(.permanent, "\(error); \(effect)")
            }
        default: self.init(.permanent, "\(error)")
        }
    }
}

extension Sharding.RetryPolicy {
    init(_ job: Job) {
        self.init(attempts: job.retry.attempts, backoff: job.retry.backoff, maxBackoff: job.retry.maxBackoff)
    }
}
