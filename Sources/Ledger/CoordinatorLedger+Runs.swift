import Postgres
import Sharding

// Making a run, and noting its binding and specification when a coordinator takes it up.
extension CoordinatorLedger {
    /// Writes a run and its shards in one transaction. The ranges must tile the key space up to the end key (I4).
    ///
    /// - Parameters:
    ///   - rowsEstimated: rows in scope; nil for the plan's own sum.
    ///   - replacing: an unfinished run, as it was read. The same transaction cancels it.
    /// - Throws: `LedgerError` with code `owned` when somebody has made another run of the name meanwhile, or has taken
    ///   the old run over; `locked` when the old run's rows are locked. Then nothing is written.
    package func createRun(
        _ definition: RunDefinition, plan: ShardPlan, rowsEstimated: Int64? = nil, replacing old: RunRecord? = nil
    ) throws -> RunID {
        try KeyRange.checkTiling(plan.parts.map(\.range), of: KeyRange(after: nil, through: definition.endKey))
        let cancellation = RunCancellation(session)
        do {
            return try session.asMember(of: .coordinator, "nothing was started") {
                try cancellation.awaitingLocks(of: old?.id, force: false) {
                    try session.transaction {
                        if let old { try cancellation.replace(old) }
                        let run = try session.only(
                            InsertRun(
                                definition: definition, rowsEstimated: rowsEstimated ?? plan.rowsEstimated,
                                shards: plan.parts.count))
                        try session.run(InsertShards(run: run, plan: plan))
                        return run
                    }
                }.value
            }
        } catch let error as PostgresError where error.sqlState == "23505" {
            throw LedgerError(
                .owned(by: "?"),
                "a run of \(definition.name) has just been made under another coordinator: nothing was started",
                mend: "coord status")
        }
    }

    /// The specification by the run's last coordinator, as JSON; nil if there is none.
    package func specification(of run: RunID) throws -> String? {
        try session.first(ReadSpecification(run: run)) ?? nil
    }

    /// Notes the run's binding and its specification.
    ///
    /// - Parameters:
    ///   - binding: the key and the columns, as JSON.
    ///   - specification: the resolved job, as JSON.
    package func bind(_ ownership: Ownership, tableOID: UInt32, binding: String, specification: String) throws {
        try session.run(
            Bind(ownership: ownership, tableOID: tableOID, binding: binding, specification: specification))
    }

    /// Gives the run's key space an end if it has none. Runs of earlier versions have none.
    /// - Returns: whether the end was missing.
    package func fixEnd(at end: Key, _ ownership: Ownership) throws -> Bool {
        try session.transaction {
            guard try session.run(FixEnd(ownership: ownership, end: end)) == 1 else { return false }
            try session.run(FixLastShard(run: ownership.run, end: end))
            return true
        }
    }

    /// Marks the only shard as done in a run whose table was empty at planning.
    package func endEmpty(_ run: RunID) throws { try session.run(EndEmpty(run: run)) }
}
