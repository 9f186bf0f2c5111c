import ArgumentParser
import Host
import Ledger
import Sharding

struct Pause: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Pause a run, wherever its coordinator is. It stays paused until it is resumed.")

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("Number of the run.", valueName: "run")) var number: Int64

    private struct Answer: Encodable {
        var run: Int64
        /// `paused`, or `pausing` while a coordinator drains its workers.
        var state: String
        /// Whether this command changed anything.
        var changed: Bool
        var askedBy: String
        var coordinator: Nullable<String>
    }

    func run() throws {
        let done = try RunControl(common.ledger()).pause(RunID(number), from: HostName.current)
        if common.json {
            return JSONOutput.print(
                Answer(
                    run: number, state: done.coordinator == nil ? RunState.paused.rawValue : "pausing",
                    changed: done.isNew, askedBy: done.askedBy, coordinator: Nullable(done.coordinator)))
        }
        print(Self.text(number, done))
        print(Suggestion.completed("  coord resume \(number)   goes on"))
    }

    static func text(_ run: Int64, _ done: RunControl.Pausing) -> String {
        let already = done.isNew ? "" : " already, as \(done.askedBy.visible) asked"
        guard let coordinator = done.coordinator else { return "run \(run) is paused\(already)" }
        return
            "run \(run) is being paused\(already): its coordinator, \(coordinator.visible), lets each worker finish its batch, "
            + "and stops"
    }
}
