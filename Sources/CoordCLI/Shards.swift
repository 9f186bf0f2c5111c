import ArgumentParser
import Ledger
import Sharding

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
        let ledger = LedgerReader(try common.ledger())
        _ = try ledger.run(RunID(number))
        let shards = try ledger.shards(of: RunID(number))
        if common.json {
            return JSONOutput.print(
                shards.map { shard in
                    Object(
                        shard: shard.record.id.rawValue, after: Nullable(shard.range.after.map(KeyObject.init)),
                        through: Nullable(shard.range.through.map(KeyObject.init)),
                        checkpoint: Nullable(shard.cursor.checkpoint.map(KeyObject.init)),
                        state: shard.record.state.rawValue,
                        epoch: shard.record.epoch.rawValue, rowsDone: shard.record.rowsDone,
                        rowsEstimated: shard.record.rowsEstimated, failures: shard.record.failures,
                        error: Nullable(shard.record.error))
                })
        }
        for shard in shards {
            print(
                "shard \(shard.record.id)  \(shard.record.state.rawValue)  \("\(shard.range)".visible)  "
                    + "\(NumberFormat.grouped(shard.record.rowsDone)) of about "
                    + "\(NumberFormat.grouped(shard.record.rowsEstimated)) rows"
                    + (shard.record.error.map { "\n    last error: \($0.indented)" } ?? ""))
        }
    }
}
