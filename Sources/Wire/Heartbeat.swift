package import Sharding

/// A worker's message of every second: its lease, the shard's progress, and the state of the process.
package struct Heartbeat: Equatable, Sendable {
    /// The leases held, at most `credit` of them.
    package var held: [HeldLease]
    package var credit: Int
    package var rssBytes: Int64
    package var peakRSSBytes: Int64
    /// Resident memory of this worker's compute program; 0 when there is none.
    package var programRSSBytes: Int64
    /// The wait of the shard in hand, for example for a row that another session holds; nil while batches advance.
    package var wait: WorkerWait?
    /// The worker knows why no batch commits, and bounds the wait by itself.
    package var isExcused: Bool
    /// The step under way, for example "computing", and its seconds so far.
    package var step: String
    package var stepSeconds: Int

    package init(
        held: [HeldLease] = [], credit: Int = 1, rssBytes: Int64 = 0, peakRSSBytes: Int64 = 0,
        programRSSBytes: Int64 = 0,
        wait: WorkerWait? = nil, isExcused: Bool = false, step: String = "", stepSeconds: Int = 0
    ) {
        self.held = held
        self.credit = credit
        self.rssBytes = rssBytes
        self.peakRSSBytes = peakRSSBytes
        self.programRSSBytes = programRSSBytes
        self.wait = wait
        self.isExcused = isExcused
        self.step = step
        self.stepSeconds = stepSeconds
    }
}
