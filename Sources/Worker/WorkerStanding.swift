public import Sharding

/// Where a worker stands, for whoever watches its process.
public enum WorkerStanding: Equatable, Sendable {
    /// It looks for a coordinator at these addresses.
    case seeking(String)
    /// The coordinator has named the run; the problem says what the worker waits for, if it cannot begin.
    case preparing(RunID, problem: String?)
    /// It is ready for the run's leases, or has one. A step that is overdue has taken longer than its own limits allow, and
    /// nobody knows what it waits for.
    case working(RunID, step: String, seconds: Int64, isOverdue: Bool)
}
