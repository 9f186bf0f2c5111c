import ArgumentParser
import Coordinator

/// What ssh runs on another host, for a coordinator with `--hosts`. It reads from standard input what to do.
struct KeepWorkers: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: Keeper.command, abstract: "Keep workers for a coordinator that has started this over ssh.",
        shouldDisplay: false)

    func run() throws {
        guard try Keeper.keep(executable: Coordination.executable) else { try ExitStatus.error.exit() }
    }
}
