import Report
import Sharding

/// Shows a run's report as text. Pure: who prints it knows the terminal.
enum ReportView {
    /// The most lines that conditions take in a picture.
    static let conditionLines = 4

    /// Lines for a terminal: the run, its workers, its shards, and all that holds it up.
    ///
    /// - Parameters:
    ///   - width: The most display cells of a line. What does not fit is left out, the least important first.
    ///   - height: The most lines. Workers beyond it are summed in one line.
    ///   - color: Whether to add ANSI colors, which take no cells.
    /// - Returns: At most `height` lines without line ends; none if `width` or `height` is below 1.
    static func bars(_ report: RunReport, width: Int, height: Int, color: Bool) -> [String] {
        guard width > 0, height > 0 else { return [] }
        let tail = tail(report, width: width, height: height)
        let room = max(0, height - 1 - tail.count)
        let lines = [overall(report, width: width)] + workers(report, width: width, room: room) + tail
        return lines.prefix(height).map { $0.rendered(width: width, color: color) }
    }

    /// One plain line for a log, without a line end. As long as it must be.
    static func line(_ report: RunReport) -> String {
        let text = Texts(report)
        var parts = ["\(text.percent)", text.rowsOfEstimate, text.rate, text.timeLeft]
        if report.percent < 100 { parts.append("elapsed \(NumberFormat.duration(report.elapsed))") }
        parts.append(shardCounts(report.shards).prefixed)
        parts.append(counted(report.workers.count, "worker"))
        if let peak = report.workers.map(\.record.peakRSSBytes).max() {
            parts.append("peak \(NumberFormat.bytes(peak)) a worker")
        }
        let conditions = ConditionText.all(of: report).map { "; " + $0.printable }.joined()
        return "\(report.job.printable) \(text.run): \(parts.joined(separator: ", "))\(conditions)"
    }

    // MARK: - Shards and conditions

    /// The shards, and below or behind them what the workers' lines do not say. Where there is room for one line alone, it
    /// is the most important condition.
    private static func tail(_ report: RunReport, width: Int, height: Int) -> [StyledLine] {
        var shards = shards(report, width: width)
        let texts = ConditionText.beside(workersOf: report).map(\.printable)
        guard let first = texts.first else { return [shards] }
        if texts.count == 1, shards.cells + first.cells + 2 <= width {
            shards.append("  " + first)
            return [shards]
        }
        let room = min(conditionLines, max(1, height - 2))
        var lines = texts.prefix(room).map { StyledLine($0) }
        if texts.count > room {
            // However long the last one is, it is said that there are more.
            let more = "; and \(texts.count - room + report.conditionsLeftOut) more"
            lines[room - 1] = StyledLine(texts[room - 1].shortened(to: max(0, width - more.cells)) + more)
        }
        return height > 2 ? [shards] + lines : lines
    }

    // MARK: - The run

    /// The parts of the first line, as text.
    private struct Texts {
        let run, percent, rows, rowsOfEstimate, rate, timeLeft: String

        init(_ report: RunReport) {
            run = "run \(report.run)"
            percent = "\(report.percent)%"
            let done = NumberFormat.grouped(report.rowsDone)
            rows = done + " rows"
            // An estimate that was passed, or that the run's end disproved, is not shown.
            let estimateHolds = report.rowsEstimated >= max(1, report.rowsDone) && report.percent < 100
            rowsOfEstimate = estimateHolds ? "\(done) / \(NumberFormat.grouped(report.rowsEstimated)) rows" : rows
            rate = NumberFormat.rate(report.rowsPerSecond)
            if report.percent == 100 {
                timeLeft = "took " + NumberFormat.duration(report.elapsed)
            } else {
                // Rounded up: what is not done takes time.
                timeLeft =
                    "ETA "
                    + (report.timeLeft.map { NumberFormat.duration(.seconds(($0 / .seconds(1)).rounded(.up))) }
                        ?? "unknown")
            }
        }
    }

    private enum Part { case job, run, bar, percent, rowsOfEstimate, rows, rate, timeLeft }

    /// From the widest line to the narrowest: the first that fits with the least bar is taken.
    private static let layouts: [[Part]] = [
        [.job, .run, .bar, .percent, .rowsOfEstimate, .rate, .timeLeft],
        [.job, .run, .bar, .percent, .rows, .rate, .timeLeft],
        [.job, .bar, .percent, .rows, .rate, .timeLeft],
        [.job, .bar, .percent, .rate, .timeLeft],
        [.job, .bar, .percent, .timeLeft],
        [.job, .percent, .timeLeft],
        [.percent, .timeLeft],
        [.percent],
    ]

    /// Cells of the bar. It grows in steps, so that it does not tremble when a number beside it gains a digit.
    private static let (leastBar, mostBar, barStep) = (8, 24, 4)

    private static func overall(_ report: RunReport, width: Int) -> StyledLine {
        let text = Texts(report)
        func line(_ layout: [Part], bar: Int) -> StyledLine {
            var line = StyledLine()
            for (index, part) in layout.enumerated() {
                line.append(index == 0 ? "" : "  ")
                switch part {
                case .job: line.append(report.job.printable.shortened(to: width * 2 / 5))
                case .run: line.append(text.run, .dim)
                case .bar:
                    let filled = report.percent * bar / 100
                    line.append(String(repeating: "█", count: filled), .good)
                    line.append(String(repeating: "░", count: bar - filled), .dim)
                case .percent: line.append(text.percent.padded(to: 3, left: true))
                case .rowsOfEstimate: line.append(text.rowsOfEstimate)
                case .rows: line.append(text.rows)
                case .rate: line.append(text.rate)
                case .timeLeft: line.append(text.timeLeft)
                }
            }
            return line
        }
        for layout in layouts {
            let spare = width - line(layout, bar: leastBar).cells
            if spare >= 0 { return line(layout, bar: min(mostBar, leastBar + spare / barStep * barStep)) }
        }
        return StyledLine(text.percent)
    }

    // MARK: - Counts

    /// The counts of shards, split around the failed ones, which may be shown in red.
    private static func shardCounts(_ counts: ShardCounts) -> (open: String, failed: String, prefixed: String) {
        let number = { (count: Int) in NumberFormat.grouped(Int64(count)) }
        let open = "\(number(counts.done)) done, \(number(counts.running)) running, \(number(counts.pending)) pending, "
        let failed = "\(number(counts.failed)) failed"
        return (open, failed, "shards " + open + failed)
    }

    private static func shards(_ report: RunReport, width: Int) -> StyledLine {
        let counts = shardCounts(report.shards)
        let beforeFailed = [
            "shards " + counts.open, counts.open, "\(report.shards.done)/\(report.shards.total) done, ", "",
        ]
        var line = StyledLine()
        for before in beforeFailed {
            line = StyledLine(before)
            line.append(counts.failed, report.shards.failed > 0 ? .bad : .plain)
            if line.cells <= width { break }
        }
        // Where it bounds anything.
        if let turns = report.inFlight, turns.limit < report.workers.count {
            let words = ", \(turns.limit) in flight"
            if line.cells + words.cells <= width { line.append(words) }
        }
        return line
    }

    static func counted(_ count: Int, _ noun: String) -> String {
        "\(NumberFormat.grouped(Int64(count))) \(noun)\(count == 1 ? "" : "s")"
    }
}
