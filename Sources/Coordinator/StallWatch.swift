import Sharding

/// Notices that no batch has committed for a while though workers hold leases, and says what they do instead.
struct StallWatch {
    private struct Report {
        var sequence: Int64
        var rowsDone: Int64
        var words: String
    }

    /// Time without a commit after which the run says what it waits for.
    static let limit = Duration.seconds(60)
    /// Workers that are named.
    static let named = 3

    private var reports: [WorkerID: Report] = [:]
    private var advancedAt: Duration = .zero

    /// - Parameter words: what the worker does, for people.
    mutating func heard(
        from worker: WorkerID, sequence: Int64, rowsDone: Int64, words: String, now: Duration
    ) {
        let before = reports[worker]
        if before.map({ sequence != $0.sequence || rowsDone != $0.rowsDone }) ?? true { advancedAt = now }
        reports[worker] = Report(sequence: sequence, rowsDone: rowsDone, words: words)
    }

    mutating func left(_ worker: WorkerID) { reports[worker] = nil }

    /// What the run waits for, once no batch has committed for the limit; nil otherwise.
    func words(now: Duration) -> String? {
        guard now - advancedAt >= Self.limit else { return nil }
        let seconds = (now - advancedAt).components.seconds
        guard !reports.isEmpty else { return "no batch has committed for \(seconds) s: no worker holds a shard" }
        let workers = reports.sorted { $0.key < $1.key }.prefix(Self.named).map(\.value.words)
        let more = reports.count > Self.named ? ", and \(reports.count - Self.named) more" : ""
        return "no batch has committed for \(seconds) s: \(workers.joined(separator: ", "))\(more)"
    }
}
