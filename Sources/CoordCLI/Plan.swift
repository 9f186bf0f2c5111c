import ArgumentParser
import Batches
import Coordinator
import Glibc
import Host
import Job
import Preflight
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
        let coordination = try Coordination(common: common, options: options)
        try coordination.checkCompute(job)
        let opening = RunOpening(
            settings: .ledger(try common.conninfo(job)), schema: schema, workers: options.workersRole,
            host: HostName.current, pid: getpid())
        let preview = try await opening.preview(job, file: file, workers: coordination.fleet.total)
        if common.json { return JSONOutput.print(PlanObject(job, preview)) }
        print("job \(job.name): table \(preview.table), key \(preview.key)")
        print("  about \(NumberFormat.grouped(preview.rows)) rows, \(preview.rowBytes) bytes each on average")
        if job.predicate != nil {
            print("  about \(NumberFormat.grouped(preview.rowsEstimated)) of them meet the condition")
        }
        print(
            "  \(preview.plan.parts.count) shards, batches of at most "
                + "\(min(job.batch.rows, preview.order.comb?.batchRows ?? job.batch.rows)) rows")
        for line in Self.lines(of: preview.order) { print("  \(line.visible)") }
        for warning in preview.warnings { print("  note: \(warning.visible)") }
        for part in preview.plan.parts {
            print("  \("\(part.range)".visible)  about \(NumberFormat.grouped(part.rowsEstimated)) rows")
        }
        let hosts = options.hosts.map { " --hosts \(Suggestion.quoted($0))" } ?? ""
        print(
            "nothing was written. To run it: coord start \(Suggestion.quoted(file))\(hosts) --workers "
                + "\(options.workersHere)")
    }

    /// In which order the rows are done, and what that leads to.
    private static func lines(of order: OrderChoice) -> [String] {
        let name =
            order.comb.map { comb in
                "comb, \(comb.stripes) stripes by \(comb.rule == .remainder ? "remainder" : "hash") over stretches of "
                    + "\(NumberFormat.grouped(Int64(comb.stretchRows))) keys"
            } ?? "key"
        let expected = order.expected
        let share = Int((expected.hotShare * 100).rounded())
        func times(_ growth: Double) -> String { "\((growth * 100).rounded() / 100) x" }
        return [
            "order: \(name): \(order.reason)",
            "  if every row is changed, about \(share) % of the updates are HOT, the table grows to \(times(expected.heapGrowth)), "
                + "each index without a changed column to \(times(expected.indexGrowth)), "
                + "\(NumberFormat.grouped(expected.walBytesPerRow)) bytes of WAL a row",
        ] + order.obstacles.map { "  note: \($0)" }
    }
}
