import Report
import Sharding

/// Conditions in words. Names and reasons come from other hosts: clean the texts for where they go.
enum ConditionText {
    /// A sentence for each condition of the report, and one for those that it leaves out.
    static func all(of report: RunReport) -> [String] {
        let left = report.conditionsLeftOut
        return report.conditions.map { of($0) } + (left > 0 ? ["and \(left) more"] : [])
    }

    /// Those that a picture's lines of workers do not show already.
    static func beside(workersOf report: RunReport) -> [String] {
        report.conditions.filter { condition in
            switch condition {
            case .workerSilent, .workerWaits: false
            case .windingDown, .paced, .databaseAway, .databaseReadOnly, .ledgerLocked, .workersEnd, .cannotSpawn,
                .noWorkers, .hostAway, .stalled, .fewHotUpdates, .cannotBegin:
                true
            }
        }.map { of($0) }
    }

    static func of(_ condition: RunCondition) -> String {
        switch condition {
        case .windingDown(let windDown): of(windDown)
        case .paced(let pace): PaceText.of(pace)
        case .databaseAway(let reason, _): "the database is away, trying again: \(oneLine(reason))"
        case .databaseReadOnly(let reason, _): "the database is read-only, trying again: \(oneLine(reason))"
        case .ledgerLocked(let reason, _): "the ledger is locked, trying again: \(oneLine(reason))"
        case .workersEnd(let times, let limit, let reason):
            "workers end before they join, \(times) of \(limit) times: \(oneLine(reason))"
        case .cannotSpawn(let reason): "a worker's process cannot be started, trying again: \(oneLine(reason))"
        case .noWorkers: "waiting for workers"
        case .hostAway(let host, let reason, let pause):
            "host \(host): \(oneLine(reason)); tried again in \(seconds(pause)) s"
        case .stalled(let stall): of(stall)
        case .fewHotUpdates(let share, let expected, let holder):
            "only \(percent(share)) of the updates are HOT, \(percent(expected)) were expected: "
                + (holder.map { "\(oneLine($0)) keeps old row versions" }
                    ?? "this role sees nobody who keeps old row versions")
        case .cannotBegin(let process, let reason): "\(name(process)) cannot begin: \(oneLine(reason))"
        case .workerSilent(let process, let since):
            "\(name(process)) has been silent for \(NumberFormat.duration(since))"
        case .workerWaits(let process, _, let wait): "\(name(process)) \(of(wait))"
        }
    }

    /// Whole seconds, none of which is said to be over too early.
    static func seconds(_ duration: Duration) -> Int64 {
        duration.components.seconds + (duration.components.attoseconds > 0 ? 1 : 0)
    }

    private static func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }

    static func of(_ wait: WorkerWait) -> String {
        let words = oneLine(wait.words)
        return words.hasPrefix("waits for ") ? words : "waits: \(words)"
    }

    static func name(_ process: ProcessName) -> String { "worker \(process.host) pid \(process.pid)" }

    private static func of(_ windDown: WindDown) -> String {
        switch windDown {
        case .draining: "draining: each worker finishes its batch"
        case .pausing(let who): "pausing, as \(oneLine(who)) asked: each worker finishes its batch"
        case .stopping(let reason): "stopping, each worker finishes its batch: \(oneLine(reason))"
        case .cancelling: "cancelling: each worker finishes its batch"
        case .cancelled: "cancelled: the workers leave"
        }
    }

    private static func of(_ stall: Stall) -> String {
        let head = "no batch has committed for \(stall.since.components.seconds) s: "
        guard !stall.holders.isEmpty else { return head + "no worker holds a shard" }
        let holders = stall.holders.map { holder in
            "\(holder.process.map { name($0) } ?? "a worker") is at shard \(holder.shard), \(holder.step) for "
                + "\(holder.stepFor.components.seconds) s"
        }
        return head + holders.joined(separator: ", ") + (stall.others > 0 ? ", and \(stall.others) more" : "")
    }

    /// A sentence takes one line, whatever an error's text has.
    static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).map { $0.drop { $0 == " " } }.joined(separator: "; ")
    }
}
