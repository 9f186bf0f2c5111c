import Batches
import Glibc
import Host
public import Job
public import Ledger
public import Postgres
import Preflight
public import Sharding

/// Opens a run: from a job or a run's number to a run that this process owns.
public struct RunOpening: Sendable {
    /// A run that this process owns.
    public struct Opened: Sendable {
        public var ownership: Ownership
        public var job: Job
        public var rowsEstimated: Int64
        /// The rows that were done before the run was opened.
        public var rowsDone: Int64
        /// Shards by state when the run was opened.
        public var counts: ShardCounts
        /// Whether this is an earlier run that goes on.
        public var resumed: Bool
        public var warnings: [String]
        var systemIdentifier: String
        var database: String
        /// The row limit of a batch after an earlier timeout; 0 without one.
        var batchRows: Int
        /// The run's table as it was found now; `endKey` is the run's last key.
        var target: Target
        var endKey: Key?
        var searchPath: String
        /// The share of HOT updates to expect of the run's order of work, 0 to 1; 0 if none is expected.
        var expectedHotShare = 0.0
        /// The number of workers that may write at the same time when the run begins; nil for all of them.
        var inFlight: Int?

        public var shards: Int { counts.total }
        /// The rows of a batch, unless its bytes end it sooner.
        var rowsOfBatch = 1
        /// The limits that somebody has set for the run; nil for none.
        var pace: Pace?
        var turnTaking: TurnTaking { pace != nil ? .forPace : inFlight != nil ? .forSpeed : .none }
    }

    /// What `coord plan` shows.
    public struct Preview: Sendable {
        public var table: String
        public var key: String
        public var rows: Int64
        public var rowsEstimated: Int64
        public var rowBytes: Int
        public var plan: ShardPlan
        public var order: OrderChoice
        public var warnings: [String]
    }

    let ledger: LedgerService
    let coordinator: WorkerID
    let host: String
    let pid: Int32
    private let workers: WorkersRole

    /// - Parameters:
    ///   - schema: the ledger's schema.
    ///   - workers: as whom the run's workers connect.
    public init(
        settings: PostgresConnection.Settings, schema: LedgerSchema, workers: WorkersRole = .same, host: String,
        pid: Int32
    ) {
        self.workers = workers
        ledger = LedgerService(settings: settings, schema: schema)
        var generator = SystemRandomNumberGenerator()
        coordinator = WorkerID.random(using: &generator)
        self.host = host
        self.pid = pid
    }

    /// Checks the job and plans its ranges. Writes nothing.
    public func preview(_ job: Job, file: String, workers: Int) async throws -> Preview {
        let role = self.workers
        return try await ledger.onSession { session in
            let findings = try Self.check(job, file: file, by: role, session)
            let plan = try Self.plan(job, findings, workers: workers, session.connection)
            var order = findings.order
            order.comb = order.comb?.fitted(shards: plan.parts.count, rows: findings.tableRows)
            return Preview(
                table: findings.target.table, key: findings.target.key.quoted, rows: findings.tableRows,
                rowsEstimated: findings.rowsEstimated, rowBytes: findings.rowBytes, plan: plan,
                order: order, warnings: findings.warnings)
        }
    }

    /// Starts the job: resumes its unfinished run when the definition is the same, or makes a new run.
    ///
    /// - Parameter new: whether to cancel an unfinished run of the job and make a new one.
    /// - Throws: `LedgerError` with code `wrongState` when the definition has changed meanwhile; `paused` when somebody
    ///   asked that the run be paused.
    public func start(_ job: Job, file: String, workers: Int, new: Bool) async throws -> Opened {
        let (coordinator, host, pid, role) = (coordinator, host, pid, self.workers)
        return try await ledger.onSession { session in
            let path = try session.connection.ownSearchPath()
            var findings = try Self.check(job, file: file, by: role, session)
            if let note = try Self.install(session) { findings.warnings.append(note) }
            try Self.outlast(try LedgerReader(session).unfinishedRun(named: job.name), session, host: host)
            var unfinished = try LedgerReader(session).unfinishedRun(named: job.name)
            if let run = unfinished, run.coordinator == nil, run.cancelAsked {
                // An earlier coordinator was asked to cancel the run, and stopped before it did.
                try RunCancellation(session).cancel(run.id)
                unfinished = nil
            }
            if let unfinished {
                if let owner = unfinished.coordinator {
                    throw LedgerError(
                        .owned(by: owner),
                        "run \(unfinished.id) of \(job.name) is at work under another coordinator, "
                            + owner,
                        mend: "coord status \(unfinished.id)")
                }
                if !new {
                    if let who = unfinished.pausedBy { throw LedgerError.paused(unfinished.id, by: who) }
                    guard unfinished.definition.fingerprint.isExactly(job.fingerprint) else {
                        throw LedgerError(
                            .wrongState("changed"),
                            "run \(unfinished.id) of \(job.name) is \(unfinished.state.rawValue), and the job has "
                                + "changed since it was planned: nothing was started",
                            mend: "coord resume \(unfinished.id)   goes on with the job as it was\n  "
                                + "coord start \(file) --new   cancels run \(unfinished.id) and starts from the beginning"
                        )
                    }
                    guard unfinished.definition.table.isExactly(findings.target.table) else {
                        throw LedgerError(
                            .wrongState("changed"),
                            "run \(unfinished.id) of \(job.name) is about \(unfinished.definition.table), and the job's "
                                + "table is \(findings.target.table) for this role: nothing was started",
                            mend: "name the table with its schema, or: coord start \(file) --new")
                    }
                    return try Self.take(
                        unfinished.id, job, findings, session, coordinator: coordinator, host: host, pid: pid,
                        resumed: true)
                }
            }
            let plan = try Self.plan(job, findings, workers: workers, session.connection)
            var weighted = plan
            if findings.tableRows > 0, findings.rowsEstimated < findings.tableRows {
                let share = Double(findings.rowsEstimated) / Double(findings.tableRows)
                for index in weighted.parts.indices {
                    let rows = Double(weighted.parts[index].rowsEstimated) * share
                    weighted.parts[index].rowsEstimated = Int64(rows.rounded())
                }
            }
            let run = try CoordinatorLedger(session).createRun(
                try Self.definition(job, findings, plan: weighted, searchPath: path, session.connection),
                plan: weighted,
                rowsEstimated: findings.rowsEstimated, replacing: unfinished)
            if weighted.parts.last?.range.through == nil { try CoordinatorLedger(session).endEmpty(run) }
            return try Self.take(
                run, job, findings, session, coordinator: coordinator, host: host, pid: pid, resumed: false)
        }
    }

    /// Takes an unfinished run over, with the job as the ledger has it, even if somebody asked that it be paused.
    ///
    /// - Parameter check: a further check of the job before anything is written.
    public func resume(_ id: RunID, check: @Sendable (Job) throws -> Void) async throws -> Opened {
        let (coordinator, host, pid, role) = (coordinator, host, pid, workers)
        return try await ledger.onSession { session in
            try LedgerInstallation(session).require()
            try Self.outlast(try LedgerReader(session).run(id), session, host: host)
            let record = try LedgerReader(session).run(id)
            let job = try Job.parse(
                text: record.definition.text, file: record.definition.name, directory: record.definition.directory)
            guard record.state.isUnfinished else {
                throw LedgerError(
                    .wrongState(record.state.rawValue), "run \(id) is \(record.state.rawValue): nothing is left to do",
                    mend: "coord start JOB starts a new run")
            }
            try check(job)
            _ = try Self.checkBinding(of: record, session)
            let findings = try Preflight.check(
                job, file: record.definition.name, table: record.definition.table,
                searchPath: record.definition.searchPath, ledger: session.schema, writer: try role.writer(),
                session.connection)
            return try Self.take(
                id, job, findings, session, coordinator: coordinator, host: host, pid: pid, resumed: true,
                endsPause: true)
        }
    }

    /// - Returns: a note if the new ledger is not the only one in the database, since that may be a mistake.
    private static func install(_ session: LedgerSession) throws -> String? {
        let installation = LedgerInstallation(session)
        let others = try installation.installedVersion() == 0 ? installation.others() : []
        try installation.install()
        guard !others.isEmpty else { return nil }
        return "the ledger in the schema \(session.schema) is new, and this database has one in "
            + others.map(\.quoted).joined(separator: ", ") + " too: the runs of one know nothing of the other's"
    }

    /// The number of tries, 100 ms apart, until a dead coordinator's session must have ended.
    private static let mourning = 50

    /// Waits until the session of a dead coordinator of this host has ended: the server notices the death a moment
    /// later.
    private static func outlast(_ run: RunRecord?, _ session: LedgerSession, host: String) throws {
        guard let run else { return }
        for _ in 0..<mourning {
            guard let owner = try LedgerReader(session).run(run.id).coordinator, owner.hasPrefix("\(host) pid "),
                let pid = pid_t(owner.dropFirst("\(host) pid ".count)), kill(pid, 0) != 0, errno == ESRCH
            else { return }
            MonotonicTime.pause(for: .milliseconds(100))
        }
    }

    /// Checks a job. Its names are looked up in the role's own path, as in a session of the job's author.
    private static func check(_ job: Job, file: String, by workers: WorkersRole, _ session: LedgerSession) throws
        -> Preflight.Findings
    {
        try Preflight.check(
            job, file: file, searchPath: try session.connection.ownSearchPath(), ledger: session.schema,
            writer: try workers.writer(), session.connection)
    }

    /// The number of shards of a run stripe by stripe. Each shard gets several whole stretches, since its last stretch
    /// is cut short; but there are no fewer shards than workers.
    private static func automaticCount(_ job: Job, _ findings: Preflight.Findings, workers: Int) -> Int {
        func count(_ batchRows: Int) -> Int {
            ShardPlan.automaticCount(workers: workers, rows: findings.tableRows, batchRows: batchRows)
        }
        let shards = count(job.batch.rows)
        guard let comb = findings.order.comb else { return shards }
        return max(min(workers, shards), count(comb.stretchRows * 2))
    }

    private static func plan(
        _ job: Job, _ findings: Preflight.Findings, workers: Int, _ connection: PostgresConnection
    ) throws -> ShardPlan {
        let count =
            switch job.shards {
            case .count(let count): count
            case .auto:
                automaticCount(job, findings, workers: workers)
            }
        return try RangePlanner.plan(
            findings.target, rows: findings.tableRows, shards: count, isCountFree: job.shards == .auto, connection)
    }

    private static func take(
        _ run: RunID, _ job: Job, _ findings: Preflight.Findings, _ session: LedgerSession, coordinator: WorkerID,
        host: String, pid: Int32, resumed: Bool, endsPause: Bool = false
    ) throws -> Opened {
        var warnings = findings.warnings
        let before = try LedgerReader(session).run(run)
        if let fault = try checkBinding(of: before, session, resolvedTo: findings.target) {
            warnings.append(fault.message)
        }
        let ownership = try CoordinatorLedger(session).takeOver(
            run, as: coordinator, host: host, pid: pid, text: resumed ? job.text : nil,
            directory: resumed ? job.directory : nil, endsPause: endsPause)
        let bound = try bind(before, ownership, job, findings, session)
        warnings += bound.warnings
        let place = try DatabasePlace.read(session.connection)
        let record = try LedgerReader(session).run(run)
        return Opened(
            ownership: ownership, job: job, rowsEstimated: record.rowsEstimated, rowsDone: record.rowsDone,
            counts: record.counts, resumed: resumed, warnings: warnings, systemIdentifier: place.systemIdentifier,
            database: place.database, batchRows: record.definition.batchRows ?? 0, target: findings.target,
            endKey: bound.endKey,
            searchPath: record.definition.searchPath,
            expectedHotShare: try expectedHotShare(of: before, bound, job, findings, session),
            inFlight: try inFlight(job, comb: bound.comb, session.connection),
            rowsOfBatch: record.definition.batchRows ?? bound.comb?.batchRows ?? job.batch.rows, pace: record.pace)
    }

    /// The number of workers that may write at the same time when a run begins: as many as the server has processors. A
    /// server on this host has this host's, and of another nothing is known.
    ///
    /// In the key's order nothing is gained by fewer.
    private static func inFlight(_ job: Job, comb: Comb?, _ connection: PostgresConnection) throws -> Int? {
        if let asked = job.inFlight { return asked }
        guard comb != nil else { return nil }
        let local = try connection.execute(
            "SELECT pg_catalog.inet_server_addr() IS NULL OR pg_catalog.inet_server_addr() = pg_catalog.inet_client_addr()"
        )
        return local.bool(0, 0) == true ? Processors.count : unknownProcessors
    }

    private static let unknownProcessors = 4
}

extension RunOpening {
    /// The batch of a `set` job as a script for another client, for a range with two closed ends.
    package func batchScript(_ job: Job, file: String) async throws -> (prepare: String, execute: String) {
        try await ledger.onSession { session in
            let findings = try Self.check(job, file: file, by: .same, session)
            guard case .set = job.change else {
                throw PreflightError(.job, "only a set job has one statement a batch")
            }
            let statements = BatchStatements(target: findings.target, ledger: session.schema.quoted)
            let script = BatchScript(SetBatch(statements), rows: job.batch.rows)
            return (script.prepare, script.execute)
        }
    }
}
