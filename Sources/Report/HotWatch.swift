import Sharding

/// Watches whether as many updates are HOT as the order of work should lead to.
struct HotWatch: Sendable, Equatable {
    /// The share of updates that were HOT lately, where that is too few.
    struct Shortfall: Sendable, Equatable {
        var share: Double
        var expected: Double
        var holder: String?
    }

    /// How long the share is looked at.
    static let span = Duration.seconds(30)
    /// Updates in that time below which the share tells nothing.
    static let least: Int64 = 1000

    private var begin: (figures: StorageFigures, at: Duration)?
    private(set) var shortfall: Shortfall?

    mutating func measured(_ measure: StorageMeasure, expected: Double, now: Duration) {
        guard expected > 0 else { return }
        let figures = measure.change.last
        guard let begin, figures.updates >= begin.figures.updates else {
            self.begin = (figures, now)
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
