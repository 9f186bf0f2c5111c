import ArgumentParser
import Coordinator
import Glibc
import Host
import Ledger
import Sharding

struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Go on with a run that was paused or interrupted, or whose shards failed.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var options: CoordinationOptions
    @Argument(help: ArgumentHelp("Number of the run.", valueName: "run")) var number: Int64

    func run() async throws {
        let coordination = try Coordination(common: common, options: options)
        let credentials = try coordination.checkListen()
        let schema = try common.schemaForAll()
        let opening = RunOpening(
            settings: .ledger(try common.conninfo()), schema: schema, workers: options.workersRole,
            host: HostName.current,
            pid: getpid())
        let opened: RunOpening.Opened
        do {
            opened = try await opening.resume(RunID(number)) { try coordination.checkCompute($0) }
        } catch let error as LedgerError where error.code == .wrongState("complete") {
            // What was asked for is so: a script may resume until it gets 0.
            if common.json { JSONOutput.print(try summary()) }
            return Terminal.complain("\(error)")
        }
        let workers = Result { try coordination.spawnWorkers(opened.job, schema) }
        try await coordination.run(opening, opened, in: schema, workers: workers, credentials: credentials)
    }

    /// Of a run that is complete.
    private func summary() throws -> Summary {
        let ledger = LedgerReader(try common.ledger())
        let run = RunID(number)
        return Summary(complete: try ledger.run(run), workers: try ledger.workers(of: run, includeGone: true))
    }
}
