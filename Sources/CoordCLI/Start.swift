import ArgumentParser
import Coordinator
import Glibc
import Host
import Job

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
        let coordination = try Coordination(common: common, options: options)
        let credentials = try coordination.checkListen()
        try coordination.checkCompute(job)
        let opening = RunOpening(
            settings: .ledger(try common.conninfo(job)), schema: schema, workers: options.workersRole,
            host: HostName.current, pid: getpid())
        // Processes take as long to start as a plan takes to make: both at once.
        async let plan = opening.start(job, file: file, workers: coordination.fleet.total, new: new)
        let workers = Result { try coordination.spawnWorkers(job, schema) }
        let opened: RunOpening.Opened
        do {
            opened = try await plan
        } catch {
            if case .success(let spawned?) = workers { spawned.abandon() }
            throw error
        }
        try await coordination.run(opening, opened, in: schema, workers: workers, credentials: credentials)
    }
}
