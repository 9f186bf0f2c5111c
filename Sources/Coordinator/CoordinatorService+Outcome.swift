import Ledger
import Logging
import Preflight
public import Progress
public import Sharding

// What a run came to.
extension CoordinatorService {
    /// How a run's coordination ended.
    public struct Outcome: Sendable, Equatable {
        public var state: RunState
        public var snapshot: ProgressSnapshot
        /// Every worker that took part, with its peak memory.
        public var workers: [WorkerProgress]
        /// The shards that failed, with their last error; nil where the ledger was not asked.
        public var failures: [Failure]?
        /// Rows above the run's last key, which came while it was under way and are not changed; counted up to
        /// `rowsAboveLimit`. Nil where nobody counted.
        public var rowsAbove: Int64?
        /// Rows whose update the database suppressed, such as by a trigger.
        public var rowsUnchanged: Int64 = 0
    }

    /// Rows above the last key that are counted at the most.
    public static let rowsAboveLimit = 100_000

    public struct Failure: Sendable, Equatable {
        public var shard: ShardID
        public var range: KeyRange
        public var error: String
    }

    /// What happens, for people who watch.
    public enum Event: Sendable, Equatable {
        /// Workers can join here.
        case listening(String)
        case progressed(ProgressSnapshot)
        case attemptEnded(ShardID, String, failed: Bool)
        case workerGone(String)
        /// A worker cannot do this job, and why: its shard goes to another.
        case workerUnfit(String, String)
        /// A timeout has made batches smaller.
        case batchesShrunk(Int)
        case ledgerLost(String)
    }

    /// Gives the run back after an error, so that it can be resumed at once. Best effort: a lease that is not given back
    /// ends with this process's session.
    /// - Returns: what the run came to, from the ledger where it can be reached.
    public func giveBack() async -> Outcome {
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

    /// What the run came to as far as this process knows.
    public var known: Outcome {
        var snapshot = leader.snapshot(now: now)
        snapshot.notes = []
        return Outcome(state: leader.written, snapshot: snapshot, workers: leader.progress.peaks, failures: nil)
    }

    /// What the run came to, from the ledger. Call it after `run`.
    public func result() async throws -> Outcome {
        let run = opened.ownership.run
        let (record, failed, unchanged) = try await ledger.reading { reader in
            (
                try reader.run(run), try reader.shards(of: run).filter { $0.record.state == .failed },
                try reader.unchangedRows(of: run)
            )
        }
        var snapshot = leader.snapshot(now: now, counts: record.counts)
        snapshot.notes = []
        snapshot.rowsDone = record.rowsDone
        return Outcome(
            state: record.state, snapshot: snapshot, workers: leader.progress.peaks,
            failures: failed.map { shard in
                Failure(shard: shard.record.id, range: shard.range, error: shard.record.error ?? "")
            }, rowsAbove: record.state == .complete ? await countRowsAbove() : nil, rowsUnchanged: unchanged)
    }

    /// Counts what came above the last key. Nothing hangs on it.
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
