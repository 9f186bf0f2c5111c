import ArgumentParser
import Coordinator
import Job
import Postgres

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
