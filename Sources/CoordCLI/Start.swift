import ArgumentParser
import Coordinator
import Glibc
import Host
import Job
import Ledger
import Postgres
import Progress
import Sharding

struct Plan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a job and show the ranges it would be cut into. Writes nothing.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var options: CoordinationOptions
    @Argument(help: "Job file (YAML).") var file: String

    func run() async throws {
        let job = try Job.load(path: file)
        Suggestion.connects(to: job.database)
        let schema = try common.schemaForAll(job)
        try Coordination(common: common, options: options).checkCompute(job)
        let opening = RunOpening(
            settings: .ledger(try common.conninfo(job)), schema: schema, host: HostName.current, pid: getpid())
        let preview = try await opening.preview(job, file: file, workers: options.workers)
        if common.json { return JSONOutput.print(PlanObject(job, preview)) }
        print("job \(job.name): table \(preview.table), key \(preview.key)")
        print("  about \(ProgressFormat.grouped(preview.rows)) rows, \(preview.rowBytes) bytes each on average")
        if job.predicate != nil {
            print("  about \(ProgressFormat.grouped(preview.rowsEstimated)) of them meet the condition")
        }
        print("  \(preview.plan.parts.count) shards, batches of at most \(job.batch.rows) rows")
        for warning in preview.warnings { print("  note: \(warning.visible)") }
        for part in preview.plan.parts {
            print("  \("\(part.range)".visible)  about \(ProgressFormat.grouped(part.rowsEstimated)) rows")
        }
        print("nothing was written. To run it: coord start \(Suggestion.quoted(file)) --workers \(options.workers)")
    }
}

struct PlanObject: Encodable {
    struct Range: Encodable {
        var after: Nullable<KeyObject>
        var through: Nullable<KeyObject>
        var rowsEstimated: Int64
    }

    var job: String
    var table: String
    var key: String
    var rows: Int64
    var rowsEstimated: Int64
    var ranges: [Range]
    var warnings: [String]

    init(_ job: Job, _ preview: RunOpening.Preview) {
        self.job = job.name
        table = preview.table
        key = preview.key
        rows = preview.rows
        rowsEstimated = preview.rowsEstimated
        warnings = preview.warnings
        ranges = preview.plan.parts.map { part in
            Range(
                after: Nullable(part.range.after.map(KeyObject.init)),
                through: Nullable(part.range.through.map(KeyObject.init)),
                rowsEstimated: part.rowsEstimated)
        }
    }
}

struct Start: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a job. An unfinished run of the same definition goes on where it stopped.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var options: CoordinationOptions
    @Flag(help: "Cancel an unfinished run of the job and start from the beginning.")
    var new = false
    @Argument(help: "Job file (YAML).") var file: String

    func run() async throws {
        let job = try Job.load(path: file)
        Suggestion.connects(to: job.database)
        let schema = try common.schemaForAll(job)
        let coordination = Coordination(common: common, options: options)
        try coordination.checkListen()
        try coordination.checkCompute(job)
        let opening = RunOpening(
            settings: .ledger(try common.conninfo(job)), schema: schema, host: HostName.current, pid: getpid())
        // Processes take as long to start as a plan takes to make: both at once.
        async let plan = opening.start(job, file: file, workers: options.workers, new: new)
        let workers = Result { try coordination.spawnWorkers(job, schema) }
        let opened: RunOpening.Opened
        do {
            opened = try await plan
        } catch {
            if case .success(var spawned?) = workers { spawned.abandon() }
            throw error
        }
        try await coordination.run(opening, opened, workers: workers)
    }
}

struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Go on with a run that was interrupted, or whose shards failed.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var options: CoordinationOptions
    @Argument(help: ArgumentHelp("Number of the run.", valueName: "run")) var number: Int64

    func run() async throws {
        let coordination = Coordination(common: common, options: options)
        try coordination.checkListen()
        let schema = try common.schemaForAll()
        let opening = RunOpening(
            settings: .ledger(try common.conninfo()), schema: schema, host: HostName.current, pid: getpid())
        let opened: RunOpening.Opened
        do {
            opened = try await opening.resume(RunID(number)) { try coordination.checkCompute($0) }
        } catch let error as LedgerError where error.code == .wrongState("complete") {
            // What was asked for is so: a script may resume until it gets 0.
            if common.json { JSONOutput.print(try summary()) }
            return Terminal.complain("\(error)")
        }
        let workers = Result { try coordination.spawnWorkers(opened.job, schema) }
        try await coordination.run(opening, opened, workers: workers)
    }

    /// Of a run that is complete.
    private func summary() throws -> Summary {
        let store = try common.store()
        let run = RunID(number)
        return Summary(complete: try store.run(run), workers: try store.workers(of: run, includeGone: true))
    }
}
