import Report
import Sharding

// The lines of the workers.
extension ReportView {
    private struct Row {
        var name, shard, rate, ownMemory, memory, memoryAndPeak: String
        /// That it says nothing, and what it waits for: both in red after the columns.
        var silent, waits: String

        var alarm: String { silent.isEmpty || waits.isEmpty ? silent + waits : silent + ", " + waits }
        /// Cells that the columns must leave: what a worker waits for may be long, and is cut where they have no room.
        var alarmCells: Int {
            let all = alarm.cells
            return all == 0 ? 0 : 2 + min(all, max(silent.cells, ReportView.leastWaits))
        }
    }

    /// Cells of the reason to wait for which a worker's line gives up columns.
    private static let leastWaits = 24

    static func workers(_ report: RunReport, width: Int, room: Int) -> [StyledLine] {
        guard room > 0 else { return [] }
        if report.workers.isEmpty { return report.percent == 100 ? [] : [StyledLine("  no workers", .dim)] }
        let shown = report.workers.count <= room ? room : room - 1
        var rows = report.workers.prefix(shown).map { row($0, nameCells: max(12, width / 3)) }
        let rest = report.workers.dropFirst(shown)
        if !rest.isEmpty { rows.append(sum(rest, as: shown > 0 ? "more worker" : "worker")) }
        return table(rows, width: width)
    }

    private static func row(_ worker: WorkerProgress, nameCells: Int) -> Row {
        // A host that is too long is cut, never the pid: it tells the workers of a host apart.
        let record = worker.record
        let pid = ":\(record.pid)"
        return Row(
            name: record.host.printable.shortened(to: nameCells - pid.cells) + pid,
            // A worker of small shards often has none at the moment of its report.
            shard: record.shard.map { "shard \($0)" } ?? (record.rowsPerSecond > 0 ? "next shard" : "idle"),
            rate: NumberFormat.rate(record.rowsPerSecond), ownMemory: NumberFormat.bytes(record.rssBytes),
            memory: memory(worker, NumberFormat.bytes(record.rssBytes)),
            memoryAndPeak: memory(worker, NumberFormat.memory(record.rssBytes, peak: record.peakRSSBytes)),
            silent: worker.isSilent ? "silent " + NumberFormat.duration(worker.silentFor) : "",
            waits: worker.wait.map { ConditionText.of($0).printable } ?? "")
    }

    /// A worker's memory with that of its program, where it has one: `29.0 MiB + 58.1 MiB program`.
    private static func memory(_ worker: WorkerProgress, _ own: String) -> String {
        worker.programRSSBytes > 0 ? "\(own) + \(NumberFormat.bytes(worker.programRSSBytes)) program" : own
    }

    private static func sum(_ workers: ArraySlice<WorkerProgress>, as noun: String) -> Row {
        let memory = NumberFormat.bytes(workers.reduce(0) { $0 &+ $1.record.rssBytes &+ $1.programRSSBytes })
        let silent = workers.count { $0.isSilent }
        let waiting = workers.count { $0.wait != nil }
        return Row(
            name: counted(workers.count, noun), shard: "",
            rate: NumberFormat.rate(workers.reduce(0) { $0 + $1.record.rowsPerSecond }), ownMemory: memory,
            memory: memory, memoryAndPeak: memory, silent: silent > 0 ? "\(silent) silent" : "",
            waits: waiting > 0 ? "\(waiting) waiting" : "")
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
}
