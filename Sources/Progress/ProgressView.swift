/// Shows a snapshot as text. Pure: who prints it knows the terminal.
public enum ProgressView {
    /// A worker that has said nothing for this long is shown as silent. Workers report about once a second.
    public static let silence: Duration = .seconds(5)

    /// Lines for a terminal: the run, its workers, its shards, and why it waits.
    ///
    /// - Parameters:
    ///   - width: The most display cells of a line. What does not fit is left out, the least important first.
    ///   - height: The most lines. Workers beyond it are summed in one line.
    ///   - color: Whether to add ANSI colors, which take no cells.
    /// - Returns: At most `height` lines without line ends; none if `width` or `height` is below 1.
    public static func bars(_ snapshot: ProgressSnapshot, width: Int, height: Int, color: Bool) -> [String] {
        guard width > 0, height > 0 else { return [] }
        var tail = [shards(snapshot, width: width)]
        if let note = snapshot.note?.printable, !note.isEmpty {
            if tail[0].cells + note.cells + 2 <= width {
                tail[0].append("  " + note)
            } else if height > 2 {
                tail.append(StyledLine(note))
            } else {
                tail = [StyledLine(note)]
            }
        }
        let room = max(0, height - 1 - tail.count)
        let lines = [overall(snapshot, width: width)] + workers(snapshot, width: width, room: room) + tail
        return lines.prefix(height).map { $0.rendered(width: width, color: color) }
    }

    /// One plain line for a log, without a line end. As long as it must be.
    public static func line(_ snapshot: ProgressSnapshot) -> String {
        let text = Texts(snapshot)
        var parts = ["\(text.percent)", text.rowsOfEstimate, text.rate, text.eta]
        if snapshot.percent < 100 { parts.append("elapsed \(ProgressFormat.duration(snapshot.elapsed))") }
        parts.append(shardCounts(snapshot).prefixed)
        parts.append(counted(snapshot.workers.count, "worker"))
        if let peak = snapshot.workers.map(\.peakRSSBytes).max() {
            parts.append("peak \(ProgressFormat.bytes(peak)) a worker")
        }
        let note = snapshot.note.map { "; " + $0.printable } ?? ""
        return "\(snapshot.job.printable) \(text.run): \(parts.joined(separator: ", "))\(note)"
    }

    // MARK: The run

    /// The parts of the first line, as text.
    private struct Texts {
        let run, percent, rows, rowsOfEstimate, rate, eta: String

        init(_ snapshot: ProgressSnapshot) {
            run = "run \(snapshot.run)"
            percent = "\(snapshot.percent)%"
            let done = ProgressFormat.grouped(snapshot.rowsDone)
            rows = done + " rows"
            // An estimate that was passed, or that the run's end disproved, is not shown.
            let estimateHolds = snapshot.rowsEstimated >= max(1, snapshot.rowsDone) && snapshot.percent < 100
            rowsOfEstimate = estimateHolds ? "\(done) / \(ProgressFormat.grouped(snapshot.rowsEstimated)) rows" : rows
            rate = ProgressFormat.rate(snapshot.rowsPerSecond)
            if snapshot.percent == 100 {
                eta = "took " + ProgressFormat.duration(snapshot.elapsed)
            } else {
                // Rounded up: what is not done takes time.
                eta =
                    "ETA "
                    + (snapshot.eta.map { ProgressFormat.duration(.seconds($0.inSeconds.rounded(.up))) } ?? "unknown")
            }
        }
    }

    private enum Part { case job, run, bar, percent, rowsOfEstimate, rows, rate, eta }

    /// From the widest line to the narrowest: the first that fits with the least bar is taken.
    private static let layouts: [[Part]] = [
        [.job, .run, .bar, .percent, .rowsOfEstimate, .rate, .eta],
        [.job, .run, .bar, .percent, .rows, .rate, .eta],
        [.job, .bar, .percent, .rows, .rate, .eta],
        [.job, .bar, .percent, .rate, .eta],
        [.job, .bar, .percent, .eta],
        [.job, .percent, .eta],
        [.percent, .eta],
        [.percent],
    ]

    /// Cells of the bar. It grows in steps, so that it does not tremble when a number beside it gains a digit.
    private static let (leastBar, mostBar, barStep) = (8, 24, 4)

    private static func overall(_ snapshot: ProgressSnapshot, width: Int) -> StyledLine {
        let text = Texts(snapshot)
        func line(_ layout: [Part], bar: Int) -> StyledLine {
            var line = StyledLine()
            for (index, part) in layout.enumerated() {
                line.append(index == 0 ? "" : "  ")
                switch part {
                case .job: line.append(snapshot.job.printable.shortened(to: width * 2 / 5))
                case .run: line.append(text.run, .dim)
                case .bar:
                    let filled = snapshot.percent * bar / 100
                    line.append(String(repeating: "█", count: filled), .good)
                    line.append(String(repeating: "░", count: bar - filled), .dim)
                case .percent: line.append(text.percent.padded(to: 3, left: true))
                case .rowsOfEstimate: line.append(text.rowsOfEstimate)
                case .rows: line.append(text.rows)
                case .rate: line.append(text.rate)
                case .eta: line.append(text.eta)
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

    // MARK: Workers

    private struct Row {
        var name, shard, rate, ownMemory, memory, memoryAndPeak: String
        /// That it says nothing, and what it waits for: both in red after the columns.
        var silent, waits: String

        var alarm: String { silent.isEmpty || waits.isEmpty ? silent + waits : silent + ", " + waits }
        /// Cells that the columns must leave: what a worker waits for may be long, and is cut where they have no room.
        var alarmCells: Int {
            let all = alarm.cells
            return all == 0 ? 0 : 2 + min(all, max(silent.cells, ProgressView.leastWaits))
        }
    }

    /// Cells of the reason to wait for which a worker's line gives up columns.
    private static let leastWaits = 24

    private static func workers(_ snapshot: ProgressSnapshot, width: Int, room: Int) -> [StyledLine] {
        guard room > 0 else { return [] }
        if snapshot.workers.isEmpty { return snapshot.percent == 100 ? [] : [StyledLine("  no workers", .dim)] }
        let shown = snapshot.workers.count <= room ? room : room - 1
        var rows = snapshot.workers.prefix(shown).map { row($0, nameCells: max(12, width / 3)) }
        let rest = snapshot.workers.dropFirst(shown)
        if !rest.isEmpty {
            let memory = ProgressFormat.bytes(rest.reduce(0) { $0 &+ $1.rssBytes &+ $1.programRSSBytes })
            let silent = rest.count { $0.silentFor >= silence }
            let waiting = rest.count { !$0.waitsFor.isEmpty }
            rows.append(
                Row(
                    name: counted(rest.count, shown > 0 ? "more worker" : "worker"), shard: "",
                    rate: ProgressFormat.rate(rest.reduce(0) { $0 + $1.rowsPerSecond }), ownMemory: memory,
                    memory: memory, memoryAndPeak: memory, silent: silent > 0 ? "\(silent) silent" : "",
                    waits: waiting > 0 ? "\(waiting) waiting" : ""))
        }
        return table(rows, width: width)
    }

    private static func row(_ worker: WorkerProgress, nameCells: Int) -> Row {
        // A host that is too long is cut, never the pid: it tells the workers of a host apart.
        let pid = ":\(worker.pid)"
        return Row(
            name: worker.host.printable.shortened(to: nameCells - pid.cells) + pid,
            // A worker of small shards often has none at the moment of its report.
            shard: worker.shard.map { "shard \($0)" } ?? (worker.rowsPerSecond > 0 ? "next shard" : "idle"),
            rate: ProgressFormat.rate(worker.rowsPerSecond),
            ownMemory: ProgressFormat.bytes(worker.rssBytes),
            memory: ProgressFormat.memory(worker, peak: false),
            memoryAndPeak: ProgressFormat.memory(worker, peak: true),
            silent: worker.silentFor >= silence ? "silent " + ProgressFormat.duration(worker.silentFor) : "",
            waits: worker.waitsFor.isEmpty ? "" : "waits for " + worker.waitsFor.printable)
    }

    /// Aligned lines with as many columns as fit: without the peak, the program's memory, the memory, then the shard.
    private static func table(_ rows: [Row], width: Int) -> [StyledLine] {
        let columns: [[KeyPath<Row, String>]] = [
            [\.name, \.shard, \.rate, \.memoryAndPeak], [\.name, \.shard, \.rate, \.memory],
            [\.name, \.shard, \.rate, \.ownMemory], [\.name, \.shard, \.rate], [\.name, \.rate],
        ]
        var lines: [StyledLine] = []
        for layout in columns {
            let widths = layout.map { column in rows.map { $0[keyPath: column].cells }.max() ?? 0 }
            var fits = true
            lines = rows.map { row in
                var line = StyledLine()
                for (column, width) in zip(layout, widths) {
                    let number = column == \.rate
                    let dim = [\.memory, \.memoryAndPeak, \.ownMemory].contains(column)
                    let last = column == layout.last && row.alarm.isEmpty && !number
                    let text = row[keyPath: column].padded(to: last ? 0 : width, left: number)
                    line.append("  " + text, dim ? .dim : .plain)
                }
                fits = fits && line.cells + row.alarmCells <= width
                line.append(row.alarm.isEmpty ? "" : "  " + row.alarm, .bad)
                return line
            }
            if fits { break }
        }
        return lines
    }

    // MARK: Shards

    /// The counts of shards, split around the failed ones, which may be shown in red.
    private static func shardCounts(_ snapshot: ProgressSnapshot) -> (open: String, failed: String, prefixed: String) {
        let number = { (count: Int) in ProgressFormat.grouped(Int64(count)) }
        let open =
            "\(number(snapshot.done)) done, \(number(snapshot.running)) running, \(number(snapshot.pending)) pending, "
        let failed = "\(number(snapshot.failed)) failed"
        return (open, failed, "shards " + open + failed)
    }

    private static func shards(_ snapshot: ProgressSnapshot, width: Int) -> StyledLine {
        let counts = shardCounts(snapshot)
        let beforeFailed = ["shards " + counts.open, counts.open, "\(snapshot.done)/\(snapshot.shards) done, ", ""]
        var line = StyledLine()
        for before in beforeFailed {
            line = StyledLine(before)
            line.append(counts.failed, snapshot.failed > 0 ? .bad : .plain)
            if line.cells <= width { break }
        }
        return line
    }

    private static func counted(_ count: Int, _ noun: String) -> String {
        "\(ProgressFormat.grouped(Int64(count))) \(noun)\(count == 1 ? "" : "s")"
    }
}
