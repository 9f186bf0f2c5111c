/// How many workers write at the same time.
public struct InFlight: Sendable, Equatable {
    /// How many may.
    public var limit: Int
    /// Those whose turn it is, and those that wait for theirs.
    public var writing: Int
    public var waiting: Int

    public init(limit: Int, writing: Int, waiting: Int) {
        self.limit = limit
        self.writing = writing
        self.waiting = waiting
    }
}
