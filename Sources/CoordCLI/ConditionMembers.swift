import Report
import Sharding

/// A condition for programs: its kind, its figures, and the sentence that people read.
enum ConditionMembers {
    static func of(_ condition: RunCondition) -> [String: JSONValue] {
        var members = figures(of: condition)
        members["text"] = .string(ConditionText.of(condition))
        return members
    }

    private static func figures(of condition: RunCondition) -> [String: JSONValue] {
        switch condition {
        case .windingDown(.draining): ["kind": .string("draining")]
        case .windingDown(.pausing(let who)): ["kind": .string("pausing"), "asked_by": .string(who)]
        case .windingDown(.stopping(let reason)): ["kind": .string("stopping"), "reason": .string(reason)]
        case .windingDown(.cancelling): ["kind": .string("cancelling")]
        case .windingDown(.cancelled): ["kind": .string("cancelled")]
        case .paced(let pace): ["kind": .string("paced")].merging(PaceText.members(pace)) { $1 }
        case .databaseAway(let reason, let since):
            ["kind": .string("database_away"), "reason": .string(reason), "seconds": seconds(since)]
        case .databaseReadOnly(let reason, let since):
            ["kind": .string("database_read_only"), "reason": .string(reason), "seconds": seconds(since)]
        case .ledgerLocked(let reason, let since):
            ["kind": .string("ledger_locked"), "reason": .string(reason), "seconds": seconds(since)]
        case .workersEnd(let times, let limit, let reason):
            [
                "kind": .string("workers_end"), "reason": .string(reason), "times": .number(Int64(times)),
                "limit": .number(Int64(limit)),
            ]
        case .cannotSpawn(let reason): ["kind": .string("cannot_spawn"), "reason": .string(reason)]
        case .noWorkers: ["kind": .string("no_workers")]
        case .hostAway(let host, let reason, let pause):
            [
                "kind": .string("host_away"), "host": .string(host), "reason": .string(reason),
                "retry_seconds": .number(ConditionText.seconds(pause)),
            ]
        case .stalled(let stall):
            [
                "kind": .string("stalled"), "seconds": seconds(stall.since),
                "workers": .list(stall.holders.map { .object(members(of: $0)) }),
                "workers_more": .number(Int64(stall.others)),
            ]
        case .fewHotUpdates(let share, let expected, let holder):
            [
                "kind": .string("few_hot_updates"), "hot_share": .decimal((share * 1000).rounded() / 1000),
                "expected_hot_share": .decimal((expected * 1000).rounded() / 1000),
                "holder": .optional(holder.map { .string($0) }),
            ]
        case .cannotBegin(let process, let reason):
            ["kind": .string("cannot_begin"), "reason": .string(reason)].merging(members(of: process)) { $1 }
        case .workerSilent(let process, let since):
            ["kind": .string("worker_silent"), "seconds": seconds(since)].merging(members(of: process)) { $1 }
        case .workerWaits(let process, let shard, let wait): members(of: process, shard, wait)
        }
    }

    private static func members(of process: ProcessName) -> [String: JSONValue] {
        ["host": .string(process.host), "pid": .number(Int64(process.pid))]
    }

    private static func members(of process: ProcessName, _ shard: ShardID?, _ wait: WorkerWait) -> [String: JSONValue] {
        var members = members(of: process).merging(CauseMembers.of(wait.cause)) { $1 }
        // What a wait has done to a batch, or which column it is about, says nothing.
        members["effect"] = nil
        members["column"] = nil
        members["kind"] = .string("worker_waits")
        members["shard"] = .optional(shard.map { .number(Int64($0.rawValue)) })
        members["holder_pid"] = .optional(wait.cause.holder.map { .number(Int64($0)) })
        return members
    }

    private static func members(of holder: Stall.Holder) -> [String: JSONValue] {
        [
            "host": .optional(holder.process.map { .string($0.host) }),
            "pid": .optional(holder.process.map { .number(Int64($0.pid)) }),
            "shard": .number(Int64(holder.shard.rawValue)), "step": .string(holder.step),
            "seconds": seconds(holder.stepFor),
        ]
    }

    private static func seconds(_ duration: Duration) -> JSONValue { .number(max(0, duration.components.seconds)) }
}
