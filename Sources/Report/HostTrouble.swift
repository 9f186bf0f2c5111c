/// A host on which workers should be and are not.
public struct HostTrouble: Equatable, Sendable {
    public var host: String
    public var reason: String
    /// When they are started again, by the clock of the report.
    public var retryAt: Duration

    public init(host: String, reason: String, retryAt: Duration) {
        self.host = host
        self.reason = reason
        self.retryAt = retryAt
    }
}
