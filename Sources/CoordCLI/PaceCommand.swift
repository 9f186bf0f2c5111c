import ArgumentParser
import Host
import Ledger
import Sharding

struct PaceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pace", abstract: "Limit a run's pace while it is at work, wherever its coordinator is.",
        discussion: """
            What is not said stays as it is. The coordinator obeys within about a second: faster at once, slower when each worker's
            batch is written. Without any option it shows the present limits.
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("Number of the run.", valueName: "run")) var number: Int64
    @Option(help: ArgumentHelp("The most workers that write at the same time, or off.", valueName: "number"))
    var workers: PaceLimit?
    @Option(help: ArgumentHelp("The most rows a second of all workers together, or off.", valueName: "number"))
    var rows: PaceLimit?
    @Option(
        name: .customLong("for"),
        help: ArgumentHelp(
            "How long the limits hold from now on: seconds, or 30s, 15m, 1h, 2d; or off.", valueName: "time"))
    var time: PaceTime?
    @Flag(help: "Lift all limits.") var off = false

    private struct Answer: Encodable {
        var run: Int64
        var before: Nullable<PaceObject>
        var pace: Nullable<PaceObject>
        var coordinator: Nullable<String>
    }

    func validate() throws {
        if off, workers != nil || rows != nil || time != nil {
            throw ValidationError("--off lifts all limits: no other option goes with it")
        }
        if let workers = workers?.number, workers > PaceLimit.mostWorkers {
            throw ValidationError("--workers takes 1 to \(NumberFormat.grouped(PaceLimit.mostWorkers))")
        }
    }

    func run() throws {
        let run = RunID(number)
        guard off || workers != nil || rows != nil || time != nil else {
            let record = try LedgerReader(common.ledger()).run(run)
            return show(
                RunControl.Pacing(before: record.pace, after: record.pace, coordinator: record.coordinator),
                isOver: !record.state.isUnfinished)
        }
        let change =
            off ? .off : PaceChange(writers: workers?.limit, rowsPerSecond: rows?.limit, seconds: time?.limit)
        show(try RunControl(common.ledger()).pace(run, change, from: HostName.current), isOver: false)
    }

    private func show(_ done: RunControl.Pacing, isOver: Bool) {
        if common.json {
            return JSONOutput.print(
                Answer(
                    run: number, before: Nullable(done.before.map { PaceObject($0) }),
                    pace: Nullable(done.after.map { PaceObject($0) }), coordinator: Nullable(done.coordinator)))
        }
        print(Self.text(number, done, isOver: isOver))
    }

    static func text(_ run: Int64, _ done: RunControl.Pacing, isOver: Bool) -> String {
        var lines = ["run \(run): " + (done.after.map { PaceText.of($0).visible } ?? "its pace is not limited")]
        if done.before != done.after {
            lines.append("  before: " + (done.before.map { PaceText.of($0).visible } ?? "not limited"))
        }
        if done.coordinator == nil, !isOver, done.after != nil {
            lines.append("  nobody coordinates it now: this holds when it goes on")
        }
        return lines.joined(separator: "\n")
    }
}
