import Postgres
import Sharding

// A coordinator's notes about its run, for observers and for the next coordinator.
extension CoordinatorLedger {
    /// Notes the workers' figures. Called every few seconds, for `coord status` from other hosts.
    package func note(_ workers: [WorkerRecord], of run: RunID) throws {
        try session.writingTexts { try note(workers, of: run, writable: $0) }
    }

    private func note(_ workers: [WorkerRecord], of run: RunID, writable: (String) -> String) throws {
        if workers.isEmpty { return }
        var workers = workers
        for index in workers.indices {
            workers[index].host = writable(workers[index].host)
            workers[index].activity = writable(workers[index].activity)
        }
        try session.run(NoteWorkers(run: run, workers: workers))
    }

    package func noteLeft(_ worker: WorkerID, of run: RunID) throws {
        try session.run(NoteLeft(run: run, worker: worker))
    }

    /// Notes that all workers have left: the run's coordinator is gone or new, and workers join again.
    package func noteAllLeft(_ run: RunID) throws { try session.run(NoteAllLeft(run: run)) }

    /// Notes the last figures of a run's workers, after all have left.
    ///
    /// Nothing depends on the figures, so the commit does not wait for the disk.
    package func noteEnd(_ workers: [WorkerRecord], of run: RunID) throws {
        try session.writingTexts { writable in
            try session.transaction {
                try session.connection.execute(script: "SET LOCAL synchronous_commit = off")
                try note(workers, of: run, writable: writable)
                try noteAllLeft(run)
            }
        }
    }

    /// Notes the row limit of a batch after a timeout has lowered it, for the next coordinator.
    package func noteBatchRows(_ rows: Int, _ ownership: Ownership) throws {
        try session.run(NoteBatchRows(ownership: ownership, rows: rows))
    }

    /// Notes the number of rows that came above the run's last key during the run.
    package func noteRowsAbove(_ rows: Int64, of run: RunID) throws {
        try session.run(NoteRowsAbove(run: run, rows: rows))
    }
}
