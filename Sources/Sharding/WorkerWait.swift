/// What a worker waits for.
public struct WorkerWait: Equatable, Sendable {
    /// In the worker's words, such as "waits for pid 7 (app@local) at id 5": not safe to print before a view has cleaned
    /// them.
    public var words: String
    /// The same as values: who is in the way, at which key.
    public var cause: FailureCause

    public init(words: String, cause: FailureCause = FailureCause()) {
        self.words = words
        self.cause = cause
    }
}
