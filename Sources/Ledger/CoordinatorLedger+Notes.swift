import Postgres
import Sharding

// What a coordinator notes of its run for whoever looks on, or takes it over next.
extension CoordinatorLedger {
    /// Notes how the workers do. Called every few seconds, for `coord status` from other hosts.
    package func note(_ workers: [WorkerRecord], of run: RunID) throws {
        if workers.isEmpty { return }
        try session.run(NoteWorkers(run: run, workers: workers))
    }

    package func noteLeft(_ worker: WorkerID, of run: RunID) throws {
        try session.run(NoteLeft(run: run, worker: worker))
    }

    /// The run has no coordinator any more, or a new one: whoever worked for it has left, or joins again.
    package func noteAllLeft(_ run: RunID) throws { try session.run(NoteAllLeft(run: run)) }

    /// The last figures of a run's workers, which have all left.
    ///
    /// Nothing hangs on them, so the commit does not wait for the disk.
    package func noteEnd(_ workers: [WorkerRecord], of run: RunID) throws {
        try session.transaction {
            try session.connection.execute(script: "SET LOCAL synchronous_commit = off")
            try note(workers, of: run)
            try noteAllLeft(run)
        }
    }

    /// Notes that a timeout has made batches smaller, for whoever takes the run over next.
    package func noteBatchRows(_ rows: Int, _ ownership: Ownership) throws {
        try session.run(NoteBatchRows(ownership: ownership, rows: rows))
    }

    /// Counts what came above the run's last key while it was under way.
    package func noteRowsAbove(_ rows: Int64, of run: RunID) throws {
        try session.run(NoteRowsAbove(run: run, rows: rows))
    }
}
