/// How a worker's life ended.
public enum WorkerStop: Equatable, Sendable {
    case drained
    /// The coordinator answered HELLO with a refusal.
    case refused(reason: String)
    /// No coordinator was heard for longer than the limit.
    case abandoned
}
