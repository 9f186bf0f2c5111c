import Report
import Sharding

/// An event as a message: its type and members for programs, its sentence for people.
struct EventText: Equatable {
    var type: String
    var text: String
    var members: [String: JSONValue]

    private init(_ type: String, _ text: String, _ members: [String: JSONValue]) {
        self.type = type
        self.text = text
        self.members = members
    }

    static func of(_ event: RunEvent) -> EventText {
        switch event {
        case .listening(let endpoint):
            EventText(
                "listening", "workers may join: coord worker --connect \(endpoint)", ["endpoint": .string(endpoint)])
        case .progressed(let report): EventText("progress", ReportView.line(report), [:])
        case .attemptEnded(let shard, let error, let cause, let failed):
            EventText(
                "attempt_ended",
                "\(failed ? "shard \(shard) has failed" : "shard \(shard) will be tried again"): \(error.indented)",
                CauseMembers.of(cause).merging([
                    "shard": .number(Int64(shard.rawValue)), "error": .string(error), "failed": .boolean(failed),
                ]) { $1 })
        case .workerDismissed(let process):
            gone("\(ConditionText.name(process)) is silent: its shard goes to another", process.host, process.pid)
        case .workerEnded(let pid, let reason):
            gone("worker pid \(pid) ended (\(reason)): starting another", nil, pid)
        case .hostStarted(let host, let workers):
            EventText(
                "host_started", "host \(host): \(workers) workers started",
                ["host": .string(host), "workers": .number(Int64(workers))])
        case .hostLost(let host, let reason, let pause):
            EventText(
                "host_lost",
                "host \(host): \(reason.indented); tried again in \(ConditionText.seconds(pause)) s",
                [
                    "host": .string(host), "reason": .string(reason),
                    "retry_seconds": .number(ConditionText.seconds(pause)),
                ])
        case .workerUnfit(let process, let error, let cause): unfit(process, error, cause)
        case .workerRevoked(let process, let key): revoked(process, key)
        case .strangerRefused(let key, let address):
            EventText(
                "stranger_refused",
                "a worker from \(address) was refused: its key \(key) is not allowed\n"
                    + "  coord keys list   shows which are",
                ["address": .string(address), "public_key": .string(key)])
        case .pauseAsked(let who):
            EventText(
                "pausing", "pausing, as \(who) asked: each worker finishes its batch", ["asked_by": .string(who)])
        case .paceChanged(let pace):
            EventText(
                "pace_changed", pace.map { PaceText.of($0) } ?? "the pace is not limited any more",
                PaceText.members(pace))
        case .batchesShrunk(let rows):
            EventText(
                "batches_shrunk",
                "batches took too long: they have at most \(NumberFormat.grouped(Int64(rows))) rows now",
                ["rows": .number(Int64(rows))])
        case .databaseLost(let reason):
            EventText(
                "database_away", "the database is away, trying again: \(reason.indented)", ["error": .string(reason)])
        case .databaseReadOnly(let reason):
            EventText(
                "database_read_only", "the database is read-only, trying again: \(reason.indented)",
                ["error": .string(reason)])
        }
    }

    /// - Parameter host: nil for a worker of the coordinator's own host.
    private static func gone(_ reason: String, _ host: String?, _ pid: Int32) -> EventText {
        EventText(
            "worker_gone", reason.indented,
            [
                "reason": .string(reason), "host": .optional(host.map { .string($0) }), "pid": .number(Int64(pid)),
            ])
    }

    private static func revoked(_ process: ProcessName?, _ key: String) -> EventText {
        let worker = process.map { ConditionText.name($0) } ?? "a worker"
        return EventText(
            "worker_revoked", "\(worker) is cut off, its shard goes to another: its key \(key) was revoked",
            ["worker": .string(worker), "key": .string(key)])
    }

    private static func unfit(_ process: ProcessName?, _ error: String, _ cause: FailureCause) -> EventText {
        let worker = process.map { ConditionText.name($0) } ?? "a worker"
        return EventText(
            "worker_unfit", "\(worker) cannot do this job, its shard goes to another: \(error)".indented,
            CauseMembers.of(cause).merging(["worker": .string(worker), "error": .string(error)]) { $1 })
    }
}
