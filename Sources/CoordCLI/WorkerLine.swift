import Ledger
import Sharding

/// A worker in a line, from its figures in the ledger.
enum WorkerLine {
    static func text(_ worker: WorkerRecord) -> String {
        parts(worker).joined(separator: "  ")
    }

    /// With what it does and since when, or when it left.
    static func text(_ worker: WorkerDetail) -> String {
        var parts = parts(worker.record)
        if worker.isPresent {
            if !worker.record.activity.isEmpty { parts.append(worker.record.activity.visible) }
            parts.append(worker.joinedAt.flatMap { UTCTime.text(seconds: $0) }.map { "since \($0)" } ?? "at work")
        } else if let left = worker.leftAt {
            parts.append("left " + (UTCTime.text(seconds: left) ?? ""))
        } else {
            parts.append("not heard of since " + (UTCTime.text(seconds: worker.seenAt) ?? ""))
        }
        return parts.joined(separator: "  ")
    }

    private static func parts(_ worker: WorkerRecord) -> [String] {
        let parts: [String?] = [
            "worker \(worker.host.visible):\(worker.pid)", worker.shard.map { "shard \($0)" },
            "\(NumberFormat.grouped(worker.rowsDone)) rows",
            worker.rowsPerSecond > 0 ? NumberFormat.rate(worker.rowsPerSecond) : nil,
            "\(NumberFormat.bytes(worker.rssBytes)) (peak \(NumberFormat.bytes(worker.peakRSSBytes)))",
        ]
        return parts.compactMap { $0 }
    }
}
