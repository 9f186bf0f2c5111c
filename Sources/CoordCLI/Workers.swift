import ArgumentParser
import Ledger
import Sharding

struct Workers: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the workers of a run: those at work, and those that have left.")

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("Number of the run.", valueName: "run")) var number: Int64

    func run() throws {
        let ledger = LedgerReader(try common.ledger())
        let run = RunID(number)
        _ = try ledger.run(run)
        let workers = try ledger.workerDetails(of: run)
        if common.json { return JSONOutput.print(workers.map { WorkerDetailObject($0) }) }
        if workers.isEmpty { return Terminal.complain("run \(run) has had no workers") }
        for worker in workers { print(WorkerLine.text(worker)) }
    }
}
