import Postgres
import Sharding

/// The observer's role: it reads, changes nothing and locks nothing.
package struct LedgerReader: LedgerRole {
    private let session: LedgerSession
    package init(_ session: LedgerSession) { self.session = session }

    /// - Throws: `LedgerError` with code `unknownRun`.
    package func run(_ id: RunID) throws -> RunRecord {
        guard let run = try session.first(ReadRun(run: id)) else { throw LedgerError.unknown(id) }
        return run
    }

    /// The newest runs first, at most `limit`.
    package func runs(limit: Int = 20) throws -> [RunRecord] { try session.rows(ReadRuns(limit: limit)) }

    /// The newest run of this name; nil if there is none or it is finished.
    package func unfinishedRun(named name: String) throws -> RunRecord? {
        guard let run = try session.first(ReadNewestRun(name: name)), run.state.isUnfinished else { return nil }
        return run
    }

    package func shards(of run: RunID) throws -> [ShardDetail] { try session.rows(ReadShards(run: run)) }

    package func shard(_ id: ShardID, of run: RunID) throws -> ShardRecord? {
        try session.first(ReadShard(run: run, shard: id))
    }

    /// The workers of a run: those at work, or all that it has had.
    package func workers(of run: RunID, includeGone: Bool) throws -> [WorkerRecord] {
        try session.rows(ReadWorkers(run: run, includesGone: includeGone)).map(\.record)
    }

    /// All workers that a run has, or has had, with their times.
    package func workerDetails(of run: RunID) throws -> [WorkerDetail] {
        try session.rows(ReadWorkers(run: run, includesGone: true))
    }

    /// The change of the table's storage since the run began; nil if it was not measured.
    package func storage(of run: RunID) throws -> StorageChange? { try session.first(ReadStorage(run: run)) ?? nil }

    /// The number of a run's rows whose update the database suppressed.
    package func unchangedRows(of run: RunID) throws -> Int64 { try session.only(CountUnchangedRows(run: run)) }
}
