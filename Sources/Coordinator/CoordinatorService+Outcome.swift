import Batches
import Ledger
import Logging
import Preflight
public import Report
import Sharding

// The outcome of a run.
extension CoordinatorService {
    /// The most rows above the last key that are counted.
    public static let rowsAboveLimit = 100_000

    /// Gives the run back after an error, so that it can be resumed at once. If that fails, the ownership ends with
    /// this process's session.
    /// - Returns: the outcome, from the ledger if it can be reached.
    public func giveBack() async -> RunOutcome {
        let ownership = opened.ownership
        do {
            if let released = try await ledger.with({ try $0.release(ownership, as: .paused) }) {
                leader.written = released
            }
            return try await result()
        } catch {
            log.info("the run was not given back, or is not known to be: \(error)")
            return known
        }
    }

    /// The outcome as far as this process knows it.
    public var known: RunOutcome {
        RunOutcome(
            state: leader.written, report: leader.report(now: now), workers: leader.reports.everyWorker)
    }

    /// The outcome as the ledger has it. Call it after `run`.
    public func result() async throws -> RunOutcome {
        let run = opened.ownership.run
        let (record, failed, unchanged) = try await ledger.reading { reader in
            (
                try reader.run(run), try reader.shards(of: run).filter { $0.record.state == .failed },
                try reader.unchangedRows(of: run)
            )
        }
        var report = leader.report(now: now, counts: record.counts)
        report.rowsDone = record.rowsDone
        return RunOutcome(
            state: record.state, report: report, workers: leader.reports.everyWorker,
            failures: failed.map { shard in
                FailedShard(
                    shard: shard.record.id, range: shard.range, error: shard.record.error ?? "",
                    cause: leader.reports.cause(of: shard.record.id))
            }, rowsAbove: record.state == .complete ? await countRowsAbove() : nil, rowsUnchanged: unchanged,
            storage: await measureStorage())
    }

    /// Measures the table for the last time. Nothing depends on the figures.
    private func measureStorage() async -> StorageChange? {
        let (ownership, oid) = (opened.ownership, opened.target.oid)
        do {
            let reading = try await ledger.with { try $0.measureStorage(ownership, tableOID: oid) }
            if case .failed(let reason) = reading {
                log.info("the table's storage was not measured at the end: \(reason)")
                return try await ledger.reading { try $0.storage(of: ownership.run) }
            }
            return reading.measure?.change
        } catch {
            log.warning("the table's storage could not be measured: \(error)")
            return nil
        }
    }

    /// Counts the rows that came above the last key. Nothing depends on the count.
    private func countRowsAbove() async -> Int64? {
        guard let end = opened.endKey else { return nil }
        let (run, target, path) = (opened.ownership.run, opened.target, opened.searchPath)
        do {
            return try await ledger.onSession { session in
                let rows = try session.connection.withSearchPath(path) {
                    try RangePlanner.rows(above: end, limit: Self.rowsAboveLimit, target, session.connection)
                }
                try CoordinatorLedger(session).noteRowsAbove(rows, of: run)
                return rows
            }
        } catch {
            log.warning("the rows above the last key could not be counted: \(error)")
            return nil
        }
    }
}
