import ArgumentParser
import Coordinator
import Job
import Ledger
import Postgres
import Progress
import Sharding

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show a run, or the newest one.")

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("Number of the run.", valueName: "run")) var number: Int64?

    func run() throws {
        let store = try common.store()
        try store.require()
        let runs = try number.map { [try store.run(RunID($0))] } ?? store.runs()
        guard let first = runs.first else {
            throw LedgerError(.unknownRun, "nothing has run in this database yet", mend: "coord start JOB")
        }
        let workers = try store.workers(of: first.id, includeGone: !first.state.isUnfinished)
        if common.json { return JSONOutput.print(RunObject(first, workers)) }
        print(Self.text(first, workers))
        for other in runs.dropFirst() {
            print(
                "run \(other.id) of \(other.definition.name.visible): \(other.state.rawValue), "
                    + "\(ProgressFormat.grouped(other.rowsDone)) rows")
        }
    }

    static func text(_ run: RunRecord, _ workers: [WorkerRecord]) -> String {
        let object = RunObject(run, workers)
        var state = run.state.rawValue
        if run.state == .running, run.coordinator == nil { state = "running, but its coordinator is gone" }
        var lines = [
            "run \(run.id) of \(run.definition.name.visible), table \(run.definition.table.visible): \(state)",
            rows(run, object),
            "  shards: \(run.counts.done) done, \(run.counts.running) running, \(run.counts.pending) pending, "
                + "\(run.counts.failed) failed",
            times(object),
        ]
        if let coordinator = run.coordinator { lines.append("  coordinator: \(coordinator.visible)") }
        for worker in workers {
            lines.append(
                "  worker \(worker.host.visible):\(worker.pid)  "
                    + (worker.shard.map { "shard \($0)  " } ?? "")
                    + "\(ProgressFormat.grouped(worker.rowsDone)) rows  "
                    + (worker.rowsPerSecond > 0 ? "\(ProgressFormat.rate(worker.rowsPerSecond))  " : "")
                    + "\(ProgressFormat.bytes(worker.rssBytes)) (peak \(ProgressFormat.bytes(worker.peakRSSBytes)))")
        }
        if run.state.isUnfinished, run.coordinator == nil { lines.append("  to go on: coord resume \(run.id)") }
        return lines.joined(separator: "\n")
    }

    /// An estimate is shown while it may hold: not of a run that is complete, nor when it was passed.
    private static func rows(_ run: RunRecord, _ object: RunObject) -> String {
        let done = ProgressFormat.grouped(run.rowsDone)
        let isOpen = run.state != .complete && run.rowsEstimated >= max(1, run.rowsDone)
        let rows = isOpen ? "\(done) of about \(ProgressFormat.grouped(run.rowsEstimated)) rows" : "\(done) rows"
        if let rate = object.averageRowsPerSecond.value, !run.state.isUnfinished {
            return "  \(rows), \(ProgressFormat.rate(rate)) on average"
        }
        return "  \(rows), \(ProgressFormat.rate(object.rowsPerSecond))"
            + (object.etaSeconds.value.map { ", ETA \(ProgressFormat.duration(.seconds($0)))" } ?? "")
    }

    private static func times(_ object: RunObject) -> String {
        let parts = [
            object.startedAt.value.map { "started \($0)" } ?? "not started",
            object.finishedAt.value.map { "finished \($0)" },
            object.durationSeconds.value.map { "took \(ProgressFormat.duration(.seconds($0)))" },
            object.user.isEmpty ? nil : "made by \(object.user.visible)",
        ]
        return "  " + parts.compactMap { $0 }.joined(separator: ", ")
    }
}

struct Cancel: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "End a run for good. Batches that have committed stay.")

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("Number of the run.", valueName: "run")) var number: Int64

    @Flag(help: "End the sessions that hold the run's rows in the ledger locked.") var force = false

    private struct Answer: Encodable {
        var run: Int64
        var state: String
        var coordinator: Nullable<String>
        var ended: [LockHolderObject]
    }

    func run() throws {
        let store = try common.store()
        try store.require()
        let done = try store.cancel(RunID(number), force: force)
        if common.json {
            return JSONOutput.print(
                Answer(
                    run: number, state: RunRecord.State.cancelled.rawValue, coordinator: Nullable(done.coordinator),
                    ended: done.ended.map { LockHolderObject($0) }))
        }
        for session in done.ended { print("ended \(session)") }
        print(
            "run \(number) is cancelled"
                + (done.coordinator.map {
                    ": no batch commits any more; its coordinator, \($0), stops in about a second"
                }
                    ?? ""))
    }
}

struct Shards: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the shards of a run.")

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("Number of the run.", valueName: "run")) var number: Int64

    private struct Object: Encodable {
        var shard: Int32
        var after: Nullable<KeyObject>
        var through: Nullable<KeyObject>
        var checkpoint: Nullable<KeyObject>
        var state: String
        var epoch: Int64
        var rowsDone: Int64
        var rowsEstimated: Int64
        var failures: Int
        var error: Nullable<String>
    }

    func run() throws {
        let store = try common.store()
        try store.require()
        _ = try store.run(RunID(number))
        let shards = try store.shards(of: RunID(number))
        if common.json {
            return JSONOutput.print(
                shards.map { shard in
                    Object(
                        shard: shard.record.id.rawValue, after: Nullable(shard.range.after.map(KeyObject.init)),
                        through: Nullable(shard.range.through.map(KeyObject.init)),
                        checkpoint: Nullable(shard.checkpoint.map(KeyObject.init)), state: shard.record.state.rawValue,
                        epoch: shard.record.epoch.rawValue, rowsDone: shard.record.rowsDone,
                        rowsEstimated: shard.record.rowsEstimated, failures: shard.record.failures,
                        error: Nullable(shard.record.error))
                })
        }
        for shard in shards {
            print(
                "shard \(shard.record.id)  \(shard.record.state.rawValue)  \("\(shard.range)".visible)  "
                    + "\(ProgressFormat.grouped(shard.record.rowsDone)) of about "
                    + "\(ProgressFormat.grouped(shard.record.rowsEstimated)) rows"
                    + (shard.record.error.map { "\n    last error: \($0.indented)" } ?? ""))
        }
    }
}

struct LedgerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger", abstract: "Install or drop the ledger, which is a schema with coord's tables.",
        subcommands: [Install.self, Drop.self])

    private struct Answer: Encodable {
        var ledger: String
        var version: Int
    }

    struct Install: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the ledger, or bring it to this version. `start` does so by itself where it may.")
        @OptionGroup var common: CommonOptions

        func run() throws {
            let store = try common.store()
            let done = try store.install()
            if common.json {
                return JSONOutput.print(Answer(ledger: done ? "installed" : "unchanged", version: Schema.version))
            }
            print(done ? "ledger version \(Schema.version) installed" : "the ledger is there already")
        }
    }

    struct Drop: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove the ledger: every run's history and every checkpoint.")
        @OptionGroup var common: CommonOptions
        @Flag(help: "Yes, drop it.") var yes = false

        func validate() throws {
            guard yes else {
                throw ValidationError("this removes every run's history and checkpoints: add --yes to do it")
            }
        }

        func run() throws {
            try common.store().drop()
            if common.json { return JSONOutput.print(Answer(ledger: "dropped", version: 0)) }
            print("the ledger is dropped")
        }
    }
}

/// The batch of a job as a script, for a benchmark that drives it without coord.
struct BatchStatement: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "batch-statement", abstract: "Print a set job's batch as a script for pgbench.",
        shouldDisplay: false)

    @OptionGroup var common: CommonOptions
    @Argument(help: "Job file (YAML).") var file: String

    private struct Answer: Encodable {
        var prepare: String
        var execute: String
        /// What a worker's session runs first.
        var settings: [String]
    }

    func run() async throws {
        let job = try Job.load(path: file)
        let opening = RunOpening(
            settings: .ledger(try common.conninfo(job)), schema: try common.schema(job), host: "", pid: 0)
        let script = try await opening.batchScript(job, file: file)
        if common.json {
            return JSONOutput.print(
                Answer(
                    prepare: script.prepare, execute: script.execute,
                    settings: PostgresSession.batches + PostgresSession.byIndex))
        }
        print("\(script.prepare);\n\(script.execute);")
    }
}
