/// The state of a run, in the words of the ledger.
public enum RunState: String, Encodable, Sendable, CaseIterable {
    case planned, running, complete, partial, failed, paused, cancelled

    /// Whether work on the run can still go on.
    public var isUnfinished: Bool { self != .complete && self != .cancelled }
}
