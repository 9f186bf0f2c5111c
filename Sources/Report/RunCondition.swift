public import Sharding

/// Something unusual that holds at a moment. Any number of conditions can hold at once. Each ends by itself when its
/// reason has passed, and none hides another. The cases stand in the order of their importance.
public enum RunCondition: Equatable, Sendable {
    /// The run is about to end, or to stop.
    case windingDown(WindDown)
    /// Somebody has limited the run's pace.
    case paced(Pace)
    /// The ledger cannot be reached. The coordinator tries again.
    case databaseAway(reason: String, since: Duration)
    /// The ledger's server is there, but takes no writes. The coordinator tries again. `since` counts from the first
    /// moment at which the ledger could not be reached or written.
    case databaseReadOnly(reason: String, since: Duration)
    /// Somebody holds a lock that the ledger's statement needs. The coordinator tries again.
    case ledgerLocked(reason: String, since: Duration)
    /// Local workers have ended one after another before they joined. At the limit the coordinator stops.
    case workersEnd(times: Int, limit: Int, reason: String)
    /// The system does not let this coordinator start a worker's process. The coordinator tries again.
    case cannotSpawn(reason: String)
    /// Nobody works, and this coordinator starts no workers.
    case noWorkers
    /// The workers of another host, which this coordinator starts there, are not there. It tries again.
    case hostAway(String, reason: String, retryIn: Duration)
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

    /// The most conditions in a report.
    public static let limit = 16
    /// The most characters of a reason. Reasons come from other processes and hosts, and longer ones are cut.
    public static let reasonLength = 300
}
