public import Sharding

/// What one worker has done so far, and how it is.
public struct WorkerProgress: Sendable, Equatable {
    /// A worker that has said nothing for this long counts as silent. Workers report about once a second.
    public static let silence: Duration = .seconds(5)

    /// What the ledger is told of it.
    public var record: WorkerRecord
    /// Resident memory of its compute program now, in bytes; 0 where there is none.
    public var programRSSBytes: Int64
    /// Nil while it works.
    public var wait: WorkerWait?
    /// Time since it last joined or reported.
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
