import Batches

/// Sampled rows by the pages that they lie on, and how many of them a choice of stripes moves away.
struct PageSample {
    /// For each rule, the numbers of a page's rows from which their stripes follow, page by page.
    private var pages: [Comb.Rule: [[Int64]]]

    /// - Parameter pages: for each rule, page by page, the rows' numbers. All rules have the same pages.
    init(_ pages: [Comb.Rule: [[Int64]]]) { self.pages = pages }

    /// A choice of stripes.
    struct Choice: Equatable {
        var rule: Comb.Rule
        var stripes: Int
        /// The share of the rows whose new versions go to other pages.
        var moved: Double
    }

    /// The stripes' number costs something too: with more of them, a batch visits more pages.
    static let costOfStripe = 0.001

    /// The choice with the least cost; nil without a sample.
    func best(of counts: ClosedRange<Int>) -> Choice? {
        var best: (choice: Choice, cost: Double)?
        for rule in [Comb.Rule.remainder, .hash] {
            for stripes in counts {
                guard let moved = moved(rule, stripes) else { continue }
                let cost = moved + Double(stripes - counts.lowerBound) * Self.costOfStripe
                if best.map({ cost < $0.cost }) ?? true {
                    best = (Choice(rule: rule, stripes: stripes, moved: moved), cost)
                }
            }
        }
        return best?.choice
    }

    /// The share of the rows whose new versions go to other pages.
    ///
    /// A stripe finds the room that earlier stripes have left. A row for which there is none moves away, and leaves its own. So at
    /// the end a page has lost as many rows as its largest stripe has.
    func moved(_ rule: Comb.Rule, _ stripes: Int) -> Double? {
        guard let pages = pages[rule], !pages.isEmpty else { return nil }
        var (moved, rows) = (0, 0)
        var counts = Array(repeating: 0, count: stripes)
        for page in pages {
            for stripe in counts.indices { counts[stripe] = 0 }
            for number in page { counts[Int((number % Int64(stripes)).magnitude)] += 1 }
            moved += counts.max() ?? 0
            rows += page.count
        }
        return rows > 0 ? Double(moved) / Double(rows) : nil
    }
}
