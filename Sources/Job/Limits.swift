/// How much one transaction may hold. A batch ends at whichever limit it meets first.
public struct BatchLimits: Sendable, Equatable {
    /// The most rows, 1 to 100,000. Default: 1000.
    public var rows: Int
    /// The most bytes of row data, 4 KiB to 256 MiB. Default: 4 MiB. A single larger row is a batch of its own.
    public var bytes: Int

    /// The allowed ``rows``.
    public static let rowsRange = 1...100_000
    /// The allowed ``bytes``.
    public static let bytesRange = 4 << 10...256 << 20

    /// Makes limits; values out of range are the caller's mistake and are not checked here.
    public init(rows: Int = 1000, bytes: Int = 4 << 20) {
        self.rows = rows
        self.bytes = bytes
    }
}

/// Into how many key ranges a table is cut.
public enum ShardCount: Sendable, Equatable {
    /// The planner chooses by the table's size and the number of workers. The default.
    case auto
    /// This many, 1 to 100,000. A small table may give fewer.
    case count(Int)

    /// The allowed ``count(_:)``.
    public static let range = 1...100_000
}

/// How often and how soon a failed shard is tried again.
public struct RetryPolicy: Sendable, Equatable {
    /// The most attempts at a shard, the first included, 1 to 100. Default: 5.
    public var attempts: Int
    /// The wait before the second attempt, 1 ms to 1 h; it grows with each further one. Default: 1 s.
    public var backoff: Duration
    /// The longest wait, ``backoff`` to 24 h. Default: 30 s.
    public var maxBackoff: Duration

    /// The allowed ``attempts``.
    public static let attemptsRange = 1...100

    /// Makes a policy; values out of range are the caller's mistake and are not checked here.
    public init(attempts: Int = 5, backoff: Duration = .seconds(1), maxBackoff: Duration = .seconds(30)) {
        self.attempts = attempts
        self.backoff = backoff
        self.maxBackoff = maxBackoff
    }
}
