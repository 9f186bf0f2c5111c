public import Sharding

/// A coordinator's hold on a run.
public struct Ownership: Sendable, Equatable {
    public var run: RunID
    /// UUID of the coordinator's process.
    public var coordinator: WorkerID
    /// Grows with each coordinator that takes the run over.
    public var term: Int64

    /// The first three parameters of statements that do nothing once this coordinator has lost the run.
    var parameters: [String?] { [run.description, coordinator.rawValue, "\(term)"] }
}
