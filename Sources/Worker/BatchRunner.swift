import Batches
import Compute
import CoordKit
import Host
import Ledger
import Postgres
import Sharding
import Specification
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
    private let ledger: LedgerSchema
    let worker: WorkerID
    private let transforms: [RowTransform]
    /// This program, to start compute programs that end with it.
    private let leash: String?
    var run: RunID?
    /// What key and columns of the run's table were when its coordinator began.
    private var binding: (record: String, table: String)?
    var connection: PostgresConnection?
    var statements: BatchStatements?
    var compute: (any BatchCompute)?
    var writeBatch: WriteBatch?
    var reader: BatchReader?
    var range = KeyRange.everything
    var held: HeldBatch?
    var computed: RowBatch?
    /// The number of rows in the batch that the present step writes; nil as long as it is not known.
    var rowsUnderWay: Int?
    var setBased = SetBasedLimits(rows: 1, bytes: nil)
    /// The order of work within a shard; nil: the key's.
    var comb: Comb?
    /// The way through the stretches of a set job; nil in key order.
    var walk: StretchWalk?
    var limits = BatchLimits()
    var computeTimeout = Duration.zero
    private var lockPatience = Duration.milliseconds(200)
    private var sessionSettings: [String] = []
    private var searchPath: String?
    /// Where the run is, as last seen.
    private var place: DatabasePlace?
    /// Rows that a batch may have by now.
    var budget = Int.max
    var heldRows = HeldRows()
    /// Rows that the last write left, with the version that it was to change: what has it still at the next read is not changed
    /// by the database.
    var versions = RowVersions()
    private var lease: Lease?

    init(
        settings: PostgresConnection.Settings, ledger: LedgerSchema, worker: WorkerID, transforms: [RowTransform],
        leash: String?
    ) {
        self.ledger = ledger
        self.leash = leash
        self.settings = settings
        self.worker = worker
        self.transforms = transforms
    }

    // MARK: - Preparing

    /// What a worker must know before it can take leases.
    struct Assignment: Sendable {
        var mode: WorkerLoopStateMachine.Mode
        var retry: RetryPolicy
        /// How long a step can take by its own limits: as long as a coordinator waits for a batch.
        var stepLimit: Duration
        /// Whose memory a heartbeat tells.
        var program: ProgramMemory?
    }

    private var stepLimit: Duration { .seconds(PostgresSession.statementTimeoutSeconds * 2) + computeTimeout }

    /// Reads the run's job from the ledger and gets ready for it.
    ///
    /// - Parameter expected: system identifier and database of the coordinator's connection.
    func prepare(run: RunID, systemIdentifier: String, database: String) throws -> Assignment {
        // Statements are prepared for one run's job.
        if self.run != run { connection = nil }
        self.run = run
        let connection = try connected(
            expecting: place ?? DatabasePlace(systemIdentifier: systemIdentifier, database: database))
        let assigned = try WorkerLedger(connection, schema: ledger).assignment(of: run)
        let specification = try RunSpecification(json: assigned.specification)
        let target = specification.target
        binding = (assigned.binding, target.table)
        try checkBinding(connection, kind: .permanent)
        let access: LedgerAccess = assigned.mayChangeTables && !Self.callsFunctions ? .tables : .functions
        let statements = BatchStatements(
            target: target, ledger: ledger.quoted, mechanisms: Self.mechanisms, access: access)
        self.statements = statements
        limits = specification.batch
        budget = min(budget, specification.batch.rows)
        comb = specification.comb
        lockPatience = specification.lockPatience
        searchPath = specification.searchPath
        sessionSettings = Self.sessionSettings(specification)
        if case .set = target.change {
            setBased = try SetBasedLimits(specification.batch, target, connection)
            walk = specification.comb.map { StretchWalk($0) }
        }
        try setUp(connection)
        sessionSettings += try PlanSwitches.choose(
            statements, byBytes: setBased.bytes != nil, comb: comb, connection)
        let retry = specification.retry
        switch (specification.program, target.change) {
        case (let program?, .compute(let read, let writes)):
            compute = try makeCompute(program, specification, read: read, writes: writes)
            computeTimeout = program.timeout
            reader = BatchReader(
                statements: statements, limits: specification.batch, columns: target.key.systemColumns + read.count,
                comb: specification.comb)
            writeBatch = WriteBatch(statements)
            try checkPlans(statements, byBytes: false, connection)
            return Assignment(
                mode: .rowBased, retry: retry, stepLimit: stepLimit, program: compute?.programMemory)
        default:
            try checkPlans(statements, byBytes: setBased.bytes != nil, connection)
            return Assignment(mode: .setBased, retry: retry, stepLimit: stepLimit)
        }
    }

    /// Has the server plan the statements, which needs the rights that they need.
    private func checkPlans(_ statements: BatchStatements, byBytes: Bool, _ connection: PostgresConnection) throws {
        do {
            try PlanSwitches.check(statements, byBytes: byBytes, comb: comb, connection)
        } catch let error as PostgresError where error.recovery == .authorize {
            throw StepError(
                .stopsRun,
                "this worker's role may not do what the job needs: \(error)\n  grant it: coord ledger install --roles --job FILE "
                    + "shows the rights", cause: StepError.Cause(error, effect: .nothingWritten))
        }
    }

    /// What a run's values depend on in a session, whatever its role or database say.
    private static func sessionSettings(_ specification: RunSpecification) -> [String] {
        guard specification.program == nil else {
            return PostgresSession.values(timeZone: specification.timeZone ?? "UTC")
        }
        // The job's expressions mean what they did in the session that made the run.
        var settings = specification.settings
        if let timeZone = specification.timeZone { settings["TimeZone"] = timeZone }
        return settings.sorted { $0.key < $1.key }.map { name, value in
            "SELECT pg_catalog.set_config(\(BatchStatements.literal(name)), \(BatchStatements.literal(value)), false)"
        }
    }

    private func makeCompute(
        _ program: ProgramSpecification, _ specification: RunSpecification, read: [Target.Column],
        writes: [Target.Column]
    ) throws -> any BatchCompute {
        switch program.program {
        case .transform(let name):
            guard let transform = transforms.first(where: { $0.name == name }) else {
                throw StepError(.permanent, "this worker has no transform named \(name)")
            }
            return TransformCompute(
                transform: transform, key: specification.target.key, read: read.map(\.name), writes: writes.count)
        case .command(let command, let directory):
            return CommandCompute(
                command: command, directory: directory, timeout: program.timeout, target: specification.target,
                read: read, writes: writes, batchRows: specification.batch.rows, batchBytes: specification.batch.bytes,
                quotesNumbers: program.quotesNumbers, applicationName: run.map { "coord program run \($0)" },
                leash: leash)
        }
    }

    private static var callsFunctions: Bool {
        #if DEBUG
            return TestSwitches.callsFunctions
        #else
            return false
        #endif
    }

    /// All of them, except in a debug build whose test takes one away to prove that it is needed.
    private static var mechanisms: Mechanisms {
        #if DEBUG
            return TestSwitches.mechanisms
        #else
            return .all
        #endif
    }

    // MARK: - Connecting

    func connected() throws -> PostgresConnection {
        guard let place else { throw StepError(.permanent, "no run was assigned") }
        if let connection, connection.isAlive { return connection }
        do {
            let fresh = try connected(expecting: place)
            try setUp(fresh)
            return fresh
        } catch let error as PostgresError where error.recovery == .authorize || error.recovery == .permanent {
            // It has worked before: somebody changes a password or pg_hba.conf. That heals, or its limit comes.
            throw StepError(
                .connectionLost, "the database cannot be reached: \(error)", cause: StepError.Cause(error, effect: nil))
        } catch let error as StepError {
            throw StepError(.connectionLost, error.message, cause: error.cause)
        }
    }

    /// Connects, unless there is a connection, and proves where it is before anything is written.
    private func connected(expecting expected: DatabasePlace) throws -> PostgresConnection {
        if let connection, connection.isAlive { return connection }
        connection = nil
        let fresh = try PostgresConnection(settings)
        let here = try DatabasePlace.read(fresh)
        if let fault = here.fault(expected: expected) { throw StepError(.permanent, "this worker: \(fault)") }
        if here.isReadOnly {
            throw StepError(
                .permanent,
                "this worker's sessions are read-only: SET default_transaction_read_only to off for its role, or use another"
            )
        }
        place = here
        connection = fresh
        return fresh
    }

    /// What the run's job asks of a session beyond the common settings.
    private func setUp(_ connection: PostgresConnection) throws {
        let milliseconds = max(1, Int64((lockPatience / .milliseconds(1)).rounded()))
        var statements = sessionSettings + ["SET lock_timeout = \(milliseconds)"]
        #if DEBUG
            if let limit = TestSwitches.statementTimeout { statements.append("SET statement_timeout = \(limit)") }
        #endif
        // Last: from here on, names in the job's own SQL are looked up where they were when the run was made.
        if let searchPath {
            statements.append(
                "SELECT pg_catalog.set_config('search_path', \(BatchStatements.literal(searchPath)), false)")
        }
        try connection.execute(script: statements.joined(separator: ";\n"))
    }

    /// Stops the run where its table is not what it was.
    private func checkBinding(_ connection: PostgresConnection, kind: StepError.Kind) throws {
        guard let run, let binding,
            let fault = try Binding.fault(binding.record, table: binding.table, connection)
        else { return }
        throw StepError(kind, "\(fault.message)\n  \(fault.ways(run: run))")
    }

    // MARK: - Steps

    /// Runs a step on this actor's thread, with no detour over another.
    func perform<R: Sendable>(_ body: @Sendable (isolated BatchRunner) throws -> R) rethrows -> R { try body(self) }

    /// - Parameter batchRows: rows that a batch may have, as another worker found, or 0.
    func open(_ lease: Lease, batchRows: Int) throws -> Position {
        try step {
            guard let run, let statements else { throw StepError(.permanent, "no run was assigned") }
            discard()
            if self.lease != lease {
                heldRows.removeAll()
                versions.removeAll()
                self.lease = lease
            }
            if batchRows > 0 { budget = min(budget, batchRows) }
            let connection = try connected()
            let entered = WorkerLedger(connection, schema: ledger)
            guard try entered.enter(run, applicationName: "coord run \(run) shard \(lease.shard)") else {
                throw StepError(
                    .connectionLost,
                    "no coordinator owns run \(run) in the database that this worker's connection goes to")
            }
            try checkBinding(connection, kind: .stopsRun)
            let columns = statements.target.key.count
            guard let opening = try entered.open(lease, owner: worker, run: run, keyColumns: columns) else {
                throw StepError(.leaseLost, "\(lease) belongs to somebody else by now")
            }
            range = opening.range
            var position = opening.position
            try checkPosition(opening, lease, statements, connection)
            position.batchRows = reportedBudget
            return position
        }
    }

    /// A deferred key or a checkpoint that is no key, or a checkpoint outside its shard, was not written by coord: rows would be
    /// skipped.
    private func checkPosition(
        _ opening: WorkerLedger.Opening, _ lease: Lease, _ statements: BatchStatements, _ connection: PostgresConnection
    ) throws {
        let changed = "the ledger was changed by hand: "
        let mend = "set it right in \(ledger).shard, then: coord resume \(run?.description ?? "RUN")"
        if let key = statements.misfit(in: opening.position) {
            let found = "the deferred key \(key) of shard \(lease.shard) is no key of \(statements.target.key.quoted)"
            throw StepError(.stopsRun, "\(changed)\(found)\n  \(mend)")
        }
        let cursor = opening.position.cursor
        guard cursor != .start else { return }
        guard statements.suits(cursor, comb) else {
            let found = "shard \(lease.shard) stands at \(cursor), where this run's order of work does not lead"
            throw StepError(.stopsRun, "\(changed)\(found)\n  \(mend)")
        }
        let found = changed + "the checkpoint of shard \(lease.shard), \(cursor), "
        do {
            guard try statements.isInRange(cursor, opening.range, connection) else {
                throw StepError(.stopsRun, found + "is not in its range \(opening.range)\n  \(mend)")
            }
        } catch let error as PostgresError where error.sqlState?.hasPrefix("22") == true {
            throw StepError(
                .stopsRun, found + "is no key: \(error.message)\n  \(mend)", cause: StepError.Cause(error, effect: nil))
        }
    }

    func discard() {
        if held?.locked == true { connection = nil }
        held = nil
        computed = nil
    }

    /// Ends the compute program and the session, so that neither outlives the worker.
    func end() {
        discard()
        compute = nil
        connection = nil
    }

    // MARK: - For all steps

    func ready() throws -> (PostgresConnection, BatchStatements) {
        guard let statements else { throw StepError(.permanent, "no job was assigned") }
        return (try connected(), statements)
    }

    func fence(_ lease: Lease, _ position: Position) -> Fence {
        guard let run else { preconditionFailure("a batch without a run") }
        return Fence(run: run, lease: lease, worker: worker, sequence: position.sequence)
    }

    /// Where the shard stands after a batch.
    func result(of outcome: BatchOutcome, read: ReadSummary? = nil) -> CommitResult {
        CommitResult(
            position: Position(
                outcome.cursor, deferred: outcome.deferred, sequence: outcome.sequence,
                rowsDone: outcome.rowsDone, batchRows: reportedBudget), done: outcome.done, read: read)
    }

    /// What the heartbeat tells of the size of batches: 0 as long as it is the job's.
    var reportedBudget: Int { budget < limits.rows ? budget : 0 }

    /// Looks after rows that somebody holds. Throws when nothing else is left to do in the shard.
    func lookAtHeldRows(_ position: Position, _ connection: PostgresConnection, _ statements: BatchStatements) throws {
        guard !heldRows.isEmpty else { return }
        let waiting =
            heldRows.free(of: position.deferred).isEmpty
            && (statements.isExhausted(position.cursor, range) || position.deferred.count >= HeldRows.limit)
        if let wait = try heldRows.look(statements, waiting: waiting, now: MonotonicTime.now(), connection) {
            throw StepError(.held, wait.words, cause: wait.cause)
        }
    }

    /// Runs a step and turns whatever it throws into what the state machine understands.
    func step<R>(_ body: () throws -> R) throws -> R {
        let began = MonotonicTime.now()
        rowsUnderWay = nil
        do {
            return try body()
        } catch {
            let translated = translate(error, after: MonotonicTime.now() - began)
            let isRollback = (error as? PostgresError).map { $0.recovery != .reconnect } ?? (translated.kind == .held)
            // In doubt about the connection's state, a new one is cheap; it also prepares its statements anew.
            if !isRollback || held?.locked == true || translated.identity != nil || connection?.isInTransaction == true
            {
                connection = nil
            }
            throw translated
        }
    }

    private func translate(_ error: any Error, after elapsed: Duration) -> StepError {
        guard let error = error as? PostgresError else { return StepError(error) }
        switch error.sqlState {
        // query_canceled: by the timeout, or by somebody.
        case "57014" where elapsed >= Self.statementTimeout * 0.8: return tooLong(error)
        case "55P03":
            // It is only for the message.
            let who = connection.flatMap { connection in
                try? connection.withSearchPath(SearchPath.pinned) { try TableLocks.lines(connection).first }
            }
            return StepError(
                .held, who.map { "waits for a lock: \($0)" } ?? "waits for a lock that somebody holds: \(error)",
                cause: StepError.Cause(error, effect: .rolledBack))
        default: return StepError(error)
        }
    }

    static var statementTimeout: Duration {
        #if DEBUG
            if let limit = TestSwitches.statementTimeout { return .milliseconds(limit) }
        #endif
        return .seconds(PostgresSession.statementTimeoutSeconds)
    }

    private func tooLong(_ error: PostgresError) -> StepError {
        let rows = rowsUnderWay ?? rowsOfBatch
        guard rows > 1 else {
            return StepError(
                .permanent, "one row takes longer than \(Self.statementTimeout): \(error); nothing written",
                cause: StepError.Cause(error, effect: .rolledBack))
        }
        budget = rows / 2
        let what = comb != nil && rowsUnderWay == nil ? "the look at a stretch of rows" : "a batch of \(rows) rows"
        return StepError(
            .tooLong, "\(what) took longer than \(Self.statementTimeout): trying \(budget)",
            cause: StepError.Cause(error, effect: .rolledBack))
    }

    /// The row limit of a batch that is in force: the least of all limits.
    private var rowsOfBatch: Int {
        let limit = if case .set = statements?.target.change { setBased.rows } else { limits.rows }
        return max(1, min(budget, limit, comb?.batchRows ?? .max))
    }
}
