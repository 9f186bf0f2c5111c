import ArgumentParser
import Ledger
import Sharding

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
        let done = try RunCancellation(common.ledger()).cancel(RunID(number), force: force)
        if common.json {
            return JSONOutput.print(
                Answer(
                    run: number, state: RunState.cancelled.rawValue, coordinator: Nullable(done.coordinator),
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
