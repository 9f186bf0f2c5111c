public import Sharding

/// Something that holds at a moment and is not as usual. Any number of them can hold at once; each ends by itself, when
/// what it says ends, and none hides another. They stand in the order of their importance.
public enum RunCondition: Equatable, Sendable {
    /// The run is about to end, or to stop.
    case windingDown(WindDown)
    /// The ledger cannot be reached; it is tried again.
    case databaseAway(reason: String, since: Duration)
    /// The ledger's server is there and takes no writes; it is tried again. Since when it could not be reached or not be
    /// written.
    case databaseReadOnly(reason: String, since: Duration)
    /// Somebody holds a lock that the ledger's statement needs; it is tried again.
    case ledgerLocked(reason: String, since: Duration)
    /// Local workers have ended one after another before they joined. At the limit the coordinator stops.
    case workersEnd(times: Int, limit: Int, reason: String)
    /// The system does not let this coordinator start a worker's process; it is tried again.
    case cannotSpawn(reason: String)
    /// Nobody works, and this coordinator starts no workers.
    case noWorkers
    /// No batch has committed for long.
    case stalled(Stall)
    /// Fewer of the updates are HOT than the order of work should lead to. Shares are 0 to 1.
    case fewHotUpdates(share: Double, expected: Double, holder: String?)
    /// A worker that has asked to join is not ready.
    case cannotBegin(ProcessName, reason: String)
    /// A worker has said nothing for some time.
    case workerSilent(ProcessName, since: Duration)
    /// A worker waits for something that passes.
    case workerWaits(ProcessName, ShardID?, WorkerWait)

    /// The most that a report lists.
    public static let limit = 16
    /// The most characters of a reason, which comes from other processes and hosts; a longer one is cut.
    public static let reasonLength = 300
}
