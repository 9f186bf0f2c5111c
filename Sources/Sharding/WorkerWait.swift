/// A worker's wait.
public struct WorkerWait: Equatable, Sendable {
    /// The worker's own words, for example "waits for pid 7 (app@local) at id 5". A view must clean them before it
    /// prints them.
    public var words: String
    /// The same as values: the holder and the key.
    public var cause: FailureCause

    public init(words: String, cause: FailureCause = FailureCause()) {
        self.words = words
        self.cause = cause
    }
}
