/// Where a run stands, in the words of the ledger.
public enum RunState: String, Encodable, Sendable, CaseIterable {
    case planned, running, complete, partial, failed, paused, cancelled

    /// Whether the run can still be worked on.
    public var isUnfinished: Bool { self != .complete && self != .cancelled }
}
