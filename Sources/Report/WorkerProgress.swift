public import Sharding

/// What one worker has done so far, and its present state.
public struct WorkerProgress: Sendable, Equatable {
    /// A worker that has said nothing for this long counts as silent. Workers report about once a second.
    public static let silence: Duration = .seconds(5)

    /// The worker's figures in the ledger.
    public var record: WorkerRecord
    /// The present resident memory of the worker's compute program, in bytes; 0 without a program.
    public var programRSSBytes: Int64
    /// What the worker waits for; nil while it works.
    public var wait: WorkerWait?
    /// The time since the worker last joined or reported.
    public var silentFor: Duration

    public init(
        _ record: WorkerRecord, programRSSBytes: Int64 = 0, wait: WorkerWait? = nil, silentFor: Duration = .zero
    ) {
        self.record = record
        self.programRSSBytes = programRSSBytes
        self.wait = wait
        self.silentFor = silentFor
    }

    public var process: ProcessName { ProcessName(host: record.host, pid: record.pid) }
    public var isSilent: Bool { silentFor >= Self.silence }
}
