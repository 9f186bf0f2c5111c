package import Sharding

/// A worker's message once a second: what it holds, how far that is, and how the process is.
package struct Heartbeat: Equatable, Sendable {
    /// At most as many as `credit`.
    package var held: [HeldLease]
    package var credit: Int
    package var rssBytes: Int64
    package var peakRSSBytes: Int64
    /// Resident memory of the compute program that this worker has started; 0 when there is none.
    package var programRSSBytes: Int64
    /// What the shard in hand waits for, such as a row that somebody holds; nil while batches advance.
    package var wait: WorkerWait?
    /// It is explained that no batch commits, and the worker itself sees to it that this ends.
    package var isExcused: Bool
    /// The step under way, such as "computing", and for how many seconds it has been.
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
