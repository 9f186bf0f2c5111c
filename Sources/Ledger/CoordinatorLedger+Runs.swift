import Postgres
import Sharding

// Making a run, and what is noted of it when it is taken up.
extension CoordinatorLedger {
    /// Writes a run and its shards in one transaction. The ranges must tile the key space up to the end key (I4).
    ///
    /// - Parameters:
    ///   - rowsEstimated: rows in scope; nil for the plan's own sum.
    ///   - replacing: an unfinished run, as it was read, that is cancelled in the same transaction.
    /// - Throws: `LedgerError` with code `owned` when another run of the name was made meanwhile, or somebody has taken
    ///   the old one over; `locked` when its rows are. Nothing is written then.
    package func createRun(
        _ definition: RunDefinition, plan: ShardPlan, rowsEstimated: Int64? = nil, replacing old: RunRecord? = nil
    ) throws -> RunID {
        try KeyRange.checkTiling(plan.parts.map(\.range), of: KeyRange(after: nil, through: definition.endKey))
        let cancellation = RunCancellation(session)
        do {
            return try cancellation.awaitingLocks(of: old?.id, force: false) {
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
        } catch let error as PostgresError where error.sqlState == "23505" {
            throw LedgerError(
                .owned(by: "?"),
                "a run of \(definition.name) has just been made under another coordinator: nothing was started",
                mend: "coord status")
        }
    }

    /// What the last coordinator of the run had resolved, as JSON; nil where none has.
    package func specification(of run: RunID) throws -> String? {
        try session.first(ReadSpecification(run: run)) ?? nil
    }

    /// Notes what the run is bound to from now on, and what its workers do.
    ///
    /// - Parameters:
    ///   - binding: what key and columns are, as JSON.
    ///   - specification: the resolved job, as JSON.
    package func bind(_ ownership: Ownership, tableOID: UInt32, binding: String, specification: String) throws {
        try session.run(
            Bind(ownership: ownership, tableOID: tableOID, binding: binding, specification: specification))
    }

    /// Gives the run's key space an end where it has none, as in runs of earlier versions.
    /// - Returns: whether it had none.
    package func fixEnd(at end: Key, _ ownership: Ownership) throws -> Bool {
        try session.transaction {
            guard try session.run(FixEnd(ownership: ownership, end: end)) == 1 else { return false }
            try session.run(FixLastShard(run: ownership.run, end: end))
            return true
        }
    }

    /// Ends the only shard of a run whose table was empty when its plan was made.
    package func endEmpty(_ run: RunID) throws { try session.run(EndEmpty(run: run)) }
}
