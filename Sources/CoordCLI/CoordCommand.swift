import ArgumentParser
import Coordinator
import Glibc
import Ledger
import Logging
import Postgres

/// The command line: parse, wire up, run.
struct CoordCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coord",
        abstract: "Changes very many rows of a live PostgreSQL table, exactly once, whatever dies on the way.",
        discussion: """
            A coordinator cuts the table's key space into ranges and hands them to worker processes, which change their \
            rows in small fenced transactions. A run can be stopped and resumed at any time.

            Connection settings come from libpq's environment (PGHOST, PGDATABASE, PGSERVICE, PGPASSFILE, …), from \
            --database, from the job file, or last from DATABASE_URL.

            Exit codes: 0 complete, 1 error, 2 usage or job file, 3 some rows or shards failed, 4 authentication or \
            permission, 5 another coordinator owns the run, 130 interrupted or paused (resumable).
            """,
        version: Build.description,
        subcommands: [
            Plan.self, Start.self, WorkerCommand.self, Status.self, PaceCommand.self, Pause.self, Resume.self,
            Cancel.self, Shards.self, Workers.self, LedgerCommand.self, KeysCommand.self, BatchStatement.self,
            KeepWorkers.self,
        ])

    /// Runs the command that the process's arguments ask for, and ends the process unless it succeeds.
    static func runAsked() async {
        do {
            if let worker = LeashedWorker(arguments: CommandLine.arguments.dropFirst()) {
                return try await WorkerCommand.run(worker)
            }
            if let fault = CommandNames.fault(of: CommandLine.arguments.dropFirst()) { throw fault }
            var command = try parseAsRoot()
            do {
                if var command = command as? any AsyncParsableCommand {
                    try await command.run()
                } else {
                    try command.run()
                }
            } catch let error as PostgresError where error.sqlState == LockedOut.sqlState {
                guard let command = command as? any OpensLedger else { throw error }
                throw LockedOut(error, command)
            }
        } catch let status as ExitCode {
            Terminal.exit(status.rawValue)
        } catch {
            fail(error)
        }
        let status = Terminal.finish(ExitStatus.complete.rawValue)
        if status != ExitStatus.complete.rawValue { Glibc.exit(status) }
    }

    static func fail(_ error: any Error) -> Never {
        let code = exitCode(for: error)
        if code == .success {
            // Help and version.
            print(fullMessage(for: error))
            Terminal.exit(ExitStatus.complete.rawValue)
        }
        if code == .validationFailure {
            Terminal.complain(fullMessage(for: error))
            exit(.usage, message(for: error))
        }
        Terminal.complain("coord: \(error)")
        var holders: [LockHolderObject]?
        if case .locked(let sessions)? = (error as? LedgerError)?.code {
            holders = sessions.map { LockHolderObject($0) }
        }
        exit(.of(error), "\(error)", holders)
    }

    /// Ends the process, with an object where JSON was asked for: what reads it always gets something.
    private static func exit(_ status: ExitStatus, _ error: String, _ holders: [LockHolderObject]? = nil) -> Never {
        if isJSONAsked {
            JSONOutput.print(
                ErrorObject(error: Suggestion.completed(error), exitCode: status.rawValue, holders: holders))
        }
        Terminal.exit(status.rawValue)
    }

    /// Looked for among the words themselves, since they may be what is wrong.
    private static var isJSONAsked: Bool { CommandLine.arguments.prefix { $0 != "--" }.contains("--json") }
}
