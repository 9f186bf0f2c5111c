public import Sharding

/// What a worker's heartbeat says of it, as far as that is shown.
public struct WorkerSample: Equatable, Sendable {
    /// The lease that it holds; nil while it holds none.
    public var held: HeldLease?
    /// Resident memory now, in bytes.
    public var rssBytes: Int64
    /// Highest resident memory of the process so far, in bytes.
    public var peakRSSBytes: Int64
    /// Resident memory of its compute program now, in bytes; 0 where there is none.
    public var programRSSBytes: Int64
    /// Nil while it works.
    public var wait: WorkerWait?
    /// The step under way, such as "computing", and for how long it has been.
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
