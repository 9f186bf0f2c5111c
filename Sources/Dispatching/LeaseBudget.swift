/// How many leases a party of workers may take: what the ledger has proved done costs nothing.
///
/// A worker may say of each lease at once that it is done, or has failed. Then only this bounds how often the ledger is
/// written.
struct LeaseBudget: Sendable, Equatable {
    /// Leases at once, and how many more each second.
    static let burst = 64.0
    static let perSecond = 8.0

    private var left = burst
    private var filledAt: Duration

    init(now: Duration) { filledAt = now }

    mutating func fill(now: Duration) {
        left = min(Self.burst, left + (now - filledAt) / .seconds(1) * Self.perSecond)
        filledAt = now
    }

    var isEmpty: Bool { left < 1 }

    mutating func taken() { left -= 1 }

    /// A lease has ended with its shard done, by the ledger's word.
    mutating func proved() { left = min(Self.burst, left + 1) }
}
