import Sharding

/// Watches whether enough of the updates are HOT: at least half of the share that the order of work leads one to
/// expect.
struct HotWatch: Sendable, Equatable {
    /// The latest share of HOT updates, if it was too small.
    struct Shortfall: Sendable, Equatable {
        var share: Double
        var expected: Double
        var holder: String?
    }

    /// The time over which a share is measured.
    static let span = Duration.seconds(30)
    /// The least number of updates in that time from which a share says something.
    static let least: Int64 = 1000

    private var begin: (figures: StorageFigures, at: Duration)?
    private(set) var shortfall: Shortfall?

    mutating func measured(_ measure: StorageMeasure, expected: Double, now: Duration) {
        guard expected > 0 else { return }
        let figures = measure.change.last
        guard let begin, figures.updates >= begin.figures.updates else {
            self.begin = (figures, now)
            // Counters that went back say nothing about before, either.
            shortfall = nil
            return
        }
        guard now - begin.at >= Self.span else { return }
        let updates = figures.updates - begin.figures.updates
        let share = updates > 0 ? Double(figures.hotUpdates - begin.figures.hotUpdates) / Double(updates) : 0
        self.begin = (figures, now)
        shortfall =
            updates >= Self.least && share < expected / 2
            ? Shortfall(share: max(0, share), expected: expected, holder: measure.holder) : nil
    }

    static func == (left: HotWatch, right: HotWatch) -> Bool {
        left.shortfall == right.shortfall && left.begin?.figures == right.begin?.figures
            && left.begin?.at == right.begin?.at
    }
}
