/// The end of a worker.
public enum WorkerStop: Equatable, Sendable {
    case drained
    /// The coordinator answered HELLO with a refusal.
    case refused(reason: String)
    /// The coordinator was silent for longer than the limit.
    case abandoned
}
