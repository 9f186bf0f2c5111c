import Batches
import Job
import Ledger
import Postgres
import Preflight
import Sharding
import Specification

// The binding of a run: made with the run, and checked when the run is taken up again.
extension RunOpening {
    /// Session settings that the job's SQL may depend on. They are recorded, so that all workers of the run use the
    /// same.
    private static let recordedSettings = [
        "TimeZone", "DateStyle", "IntervalStyle", "extra_float_digits", "bytea_output", "xmlbinary", "xmloption",
        "lc_monetary",
        "lc_numeric", "lc_time", "default_text_search_config", "transform_null_equals", "array_nulls",
        "timezone_abbreviations",
    ]

    /// - Parameter searchPath: the path along which the job's names were looked up.
    static func definition(
        _ job: Job, _ findings: Preflight.Findings, plan: ShardPlan, searchPath: String,
        _ connection: PostgresConnection
    ) throws -> RunDefinition {
        var settings: [String: String] = [:]
        if case .set = job.change {
            for name in recordedSettings {
                settings[name] = try connection.execute("SELECT pg_catalog.current_setting($1, true)", [name]).text(
                    0, 0)
            }
        }
        return RunDefinition(
            name: job.name, text: job.text, directory: job.directory, fingerprint: job.fingerprint,
            table: findings.target.table, searchPath: searchPath, tableOID: findings.target.oid,
            binding: try Binding.record(of: findings.target, connection), endKey: plan.parts.last?.range.through,
            settings: settings)
    }

    /// Refuses a run whose table was replaced or changed.
    ///
    /// - Parameter target: the job as it is resolved now; nil before that.
    /// - Returns: a note if a column has another type now. The run then goes on with that type.
    static func checkBinding(of record: RunRecord, _ session: LedgerSession, resolvedTo target: Target? = nil) throws
        -> BindingFault?
    {
        guard let binding = record.definition.binding else { return nil }
        var fault = try Binding.fault(binding, table: record.definition.table, session.connection)
        if let target { fault = try Binding.keyFault(binding, target, session.connection) ?? fault }
        guard let fault else { return nil }
        guard fault.kind == .type, !fault.concernsKey else {
            throw LedgerError(
                .wrongState("changed"), "run \(record.id) of \(record.definition.name): \(fault.message)",
                mend: fault.ways(run: record.id))
        }
        return fault
    }

    /// What is known of a run once it is bound.
    struct Bound {
        /// The run's last key; nil where its table was empty.
        var endKey: Key?
        /// The run's order of work; nil for the key's order.
        var comb: Comb?
        var warnings: [String] = []
    }

    /// Binds a run that is taken up: a run of an earlier version has no binding, and columns may have other types now.
    /// Also fixes the end of the key space if it is still open.
    static func bind(
        _ record: RunRecord, _ ownership: Ownership, _ job: Job, _ findings: Preflight.Findings,
        _ session: LedgerSession
    ) throws -> Bound {
        let target = findings.target
        let comb = try order(of: record, findings, session)
        let binding = try Binding.record(of: target, session.connection)
        let specification = RunSpecification(
            target: target, batch: job.batch, retry: job.retry, lockPatience: job.lockPatience, timeZone: job.timeZone,
            settings: record.definition.settings, searchPath: record.definition.searchPath, program: job.program,
            comb: comb)
        try CoordinatorLedger(session).bind(
            ownership, tableOID: target.oid, binding: binding, specification: try specification.json())
        var bound = Bound(endKey: record.definition.endKey, comb: comb)
        let reading = try CoordinatorLedger(session).measureStorage(ownership, tableOID: target.oid)
        if case .failed(let reason) = reading {
            bound.warnings.append("the table's storage could not be measured yet: \(reason)")
        }
        if bound.endKey == nil, let end = try RangePlanner.lastKey(target, session.connection),
            try CoordinatorLedger(session).fixEnd(at: end, ownership)
        {
            bound.endKey = end
        }
        return bound
    }

    /// The share of HOT updates to expect of the order of work that a run has, 0 to 1; 0 if none is expected.
    static func expectedHotShare(
        of record: RunRecord, _ bound: Bound, _ job: Job, _ findings: Preflight.Findings, _ session: LedgerSession
    ) throws -> Double {
        guard bound.comb != nil else { return 0 }
        guard findings.order.comb == nil else { return findings.order.expected.hotShare }
        // A new run would go by the key now, such as when few rows are left. The run still goes by the comb.
        var job = job
        job.order = .comb
        return try Preflight.check(
            job, file: record.definition.name, table: record.definition.table,
            searchPath: record.definition.searchPath, ledger: session.schema, writer: .unknown, session.connection
        ).order.expected.hotShare
    }

    /// The order of a run, which its first coordinator has chosen: a shard that was begun in one order cannot go on in
    /// another. A run of an earlier version goes in key order.
    private static func order(of record: RunRecord, _ findings: Preflight.Findings, _ session: LedgerSession) throws
        -> Comb?
    {
        guard let before = try CoordinatorLedger(session).specification(of: record.id) else {
            guard record.startedAt == nil else { return nil }
            return findings.order.comb?.fitted(shards: record.counts.total, rows: findings.tableRows)
        }
        return try RunSpecification(json: before).comb
    }
}
