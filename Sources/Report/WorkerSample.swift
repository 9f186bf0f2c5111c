public import Sharding

/// The parts of a worker's heartbeat that are shown.
public struct WorkerSample: Equatable, Sendable {
    /// The worker's lease; nil while it holds none.
    public var held: HeldLease?
    /// Resident memory now, in bytes.
    public var rssBytes: Int64
    /// Highest resident memory of the process so far, in bytes.
    public var peakRSSBytes: Int64
    /// The present resident memory of the worker's compute program, in bytes; 0 without a program.
    public var programRSSBytes: Int64
    /// What the worker waits for; nil while it works.
    public var wait: WorkerWait?
    /// The step under way, such as "computing". `stepFor` is how long it has lasted.
    public var step: String
    public var stepFor: Duration

    public init(
        held: HeldLease? = nil, rssBytes: Int64 = 0, peakRSSBytes: Int64 = 0, programRSSBytes: Int64 = 0,
        wait: WorkerWait? = nil, step: String = "", stepFor: Duration = .zero
    ) {
        self.held = held
        self.rssBytes = rssBytes
        self.peakRSSBytes = peakRSSBytes
        self.programRSSBytes = programRSSBytes
        self.wait = wait
        self.step = step
        self.stepFor = stepFor
    }
}
