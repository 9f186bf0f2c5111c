/// The rows that may be written by now at a limited rate: a token bucket.
///
/// A batch is not cut for it. Whoever takes more than there is leaves a debt, which has to be earned before anybody gets rows
/// again. So the rate holds over any time that is longer than a batch's share of it.
struct RowBudget: Sendable, Equatable {
    /// How long rows are saved up while nobody takes them.
    static let burst = Duration.milliseconds(250)
    /// The most rows that one report can cost. It is more than any batch, and bounds what a wrong report does.
    static let mostRows: Int64 = 10_000_000

    let rowsPerSecond: Double
    private(set) var rows: Double
    private var countedAt: Duration

    /// It begins empty, so that setting a limit again and again gives no rows.
    init(rowsPerSecond: Int64, now: Duration) {
        self.rowsPerSecond = Double(max(1, rowsPerSecond))
        rows = 0
        countedAt = now
    }

    /// The rows that may be saved up.
    var limit: Double { max(1, rowsPerSecond * (Self.burst / .seconds(1))) }
    var isOpen: Bool { rows >= 1 }

    mutating func timePassed(now: Duration) {
        rows = min(limit, rows + rowsPerSecond * (max(.zero, now - countedAt) / .seconds(1)))
        countedAt = now
    }

    mutating func take(_ taken: Double) { rows -= taken }

    /// What was taken and not used comes back; what was used beyond it is a debt.
    mutating func settle(taken: Double, used: Int64) {
        rows = min(limit, rows + taken - Double(min(max(0, used), Self.mostRows)))
    }
}
