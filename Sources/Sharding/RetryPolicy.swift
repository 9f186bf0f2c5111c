/// When a shard whose attempt failed is tried again.
public struct RetryPolicy: Codable, Sendable, Equatable {
    /// Attempts without progress before the shard counts as failed, the first included, 1 to 100. Default: 5.
    public var attempts: Int
    /// The wait before the second attempt, 1 ms to 1 h; it grows with each further one. Default: 1 s.
    public var backoff: Duration
    /// The longest wait, `backoff` to 24 h. Default: 30 s.
    public var maxBackoff: Duration

    /// The allowed attempts.
    public static let attemptsRange = 1...100

    public init(attempts: Int = 5, backoff: Duration = .seconds(1), maxBackoff: Duration = .seconds(30)) {
        self.attempts = attempts
        self.backoff = backoff
        self.maxBackoff = maxBackoff
    }

    /// Exponential backoff with full jitter over its upper half: `backoff * 2^(failures-1)`, capped, times 0.5...1.
    ///
    /// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("equal jitter").
    public func delay(failures: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        let doublings = min(max(failures - 1, 0), 20)
        let ceiling = min(backoff * (1 << doublings), maxBackoff)
        return ceiling * Double.random(in: 0.5...1, using: &generator)
    }
}
