package import Progress
package import Sharding

extension WorkerRecord {
    /// What is shown of a worker, as the ledger keeps it.
    package init(_ worker: WorkerProgress) {
        self.init(
            id: worker.id, host: worker.host, pid: worker.pid, shard: worker.shard, rowsDone: worker.rowsDone,
            rowsPerSecond: worker.rowsPerSecond, rssBytes: worker.rssBytes, peakRSSBytes: worker.peakRSSBytes)
    }
}
