import ArgumentParser
import Ledger
import Sharding

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show a run, or the newest one.")

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("Number of the run.", valueName: "run")) var number: Int64?

    func run() throws {
        let ledger = LedgerReader(try common.ledger())
        let runs = try number.map { [try ledger.run(RunID($0))] } ?? ledger.runs()
        guard let first = runs.first else {
            throw LedgerError(.unknownRun, "nothing has run in this database yet", mend: "coord start JOB")
        }
        let workers = try ledger.workers(of: first.id, includeGone: !first.state.isUnfinished)
        let storage = try ledger.storage(of: first.id)
        if common.json { return JSONOutput.print(RunObject(first, workers, storage: storage)) }
        print(Self.text(first, workers, storage: storage))
        for other in runs.dropFirst() {
            print(
                "run \(other.id) of \(other.definition.name.visible): \(other.state.rawValue), "
                    + "\(NumberFormat.grouped(other.rowsDone)) rows")
        }
    }

    static func text(_ run: RunRecord, _ workers: [WorkerRecord], storage: StorageChange? = nil) -> String {
        let object = RunObject(run, workers, storage: storage)
        var state = run.state.rawValue
        if run.state == .running, run.coordinator == nil { state = "running, but its coordinator is gone" }
        if let who = object.pausedBy.value?.visible {
            state += run.state == .paused ? ", as \(who) asked" : ", to be paused, as \(who) asked"
        }
        var lines = [
            "run \(run.id) of \(run.definition.name.visible), table \(run.definition.table.visible): \(state)",
            rows(run, object),
            "  shards: \(run.counts.done) done, \(run.counts.running) running, \(run.counts.pending) pending, "
                + "\(run.counts.failed) failed",
            times(object),
        ]
        if let above = Summary.above(run.rowsAbove) { lines.append("  \(above)") }
        if let storage = object.storage.value?.text { lines.append("  \(storage)") }
        if run.state.isUnfinished, let pace = run.pace { lines.append("  \(PaceText.of(pace).visible)") }
        if let coordinator = run.coordinator { lines.append("  coordinator: \(coordinator.visible)") }
        for worker in workers { lines.append("  " + WorkerLine.text(worker)) }
        if run.state.isUnfinished, run.coordinator == nil { lines.append("  to go on: coord resume \(run.id)") }
        return lines.joined(separator: "\n")
    }

    /// An estimate is shown while it may hold: not of a run that is complete, nor when it was passed.
    private static func rows(_ run: RunRecord, _ object: RunObject) -> String {
        let done = NumberFormat.grouped(run.rowsDone)
        let isOpen = run.state != .complete && run.rowsEstimated >= max(1, run.rowsDone)
        let rows = isOpen ? "\(done) of about \(NumberFormat.grouped(run.rowsEstimated)) rows" : "\(done) rows"
        if let rate = object.averageRowsPerSecond.value, !run.state.isUnfinished {
            return "  \(rows), \(NumberFormat.rate(rate)) on average"
        }
        return "  \(rows), \(NumberFormat.rate(object.rowsPerSecond))"
            + (object.etaSeconds.value.map { ", ETA \(NumberFormat.duration(.seconds($0)))" } ?? "")
    }

    private static func times(_ object: RunObject) -> String {
        let parts = [
            object.startedAt.value.map { "started \($0)" } ?? "not started",
            object.finishedAt.value.map { "finished \($0)" },
            object.durationSeconds.value.map { "took \(NumberFormat.duration(.seconds($0)))" },
            object.user.isEmpty ? nil : "made by \(object.user.visible)",
        ]
        return "  " + parts.compactMap { $0 }.joined(separator: ", ")
    }
}
