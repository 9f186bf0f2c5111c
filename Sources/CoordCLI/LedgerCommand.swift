import ArgumentParser
import Ledger

struct LedgerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger", abstract: "Install or drop the ledger, which is a schema with coord's tables.",
        subcommands: [Install.self, Drop.self])

    private struct Answer: Encodable {
        var ledger: String
        var version: Int
    }

    struct Drop: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove the ledger: every run's history and every checkpoint.")
        @OptionGroup var common: CommonOptions
        @Flag(help: "Yes, drop it.") var yes = false

        func validate() throws {
            guard yes else {
                throw ValidationError("this removes every run's history and checkpoints: add --yes to do it")
            }
        }

        func run() throws {
            try LedgerInstallation(common.session()).drop()
            if common.json { return JSONOutput.print(Answer(ledger: "dropped", version: 0)) }
            print("the ledger is dropped")
        }
    }
}
