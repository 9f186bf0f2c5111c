import ArgumentParser
import Coordinator
import Job
import Ledger
import Postgres

extension LedgerCommand {
    struct Install: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the ledger, or bring it to this version. `start` does so by itself where it may.")
        @OptionGroup var common: CommonOptions
        @Flag(help: "Also make group roles for coordinators, workers and viewers, or set their rights right.")
        var roles = false
        @Option(help: ArgumentHelp("Show the rights on its table that these roles need for a job.", valueName: "file"))
        var job: String?
        @Flag(help: "Show the SQL, and change nothing.") var dryRun = false

        private struct Answer: Encodable {
            var ledger: String
            var version: Int
            /// With --roles: their names as SQL writes them.
            var roles: [String]?
            /// Statements that are left to others: grants that a superuser or the table's owner gives.
            var toGrant: [String]?
            /// With --dry-run: what would be run.
            var sql: [String]?
        }

        func validate() throws {
            guard job == nil || roles else { throw ValidationError("--job shows what the roles need: add --roles") }
        }

        func run() throws {
            let job = try job.map { try Job.load(path: $0) }
            Suggestion.connects(to: job?.database)
            let schema = try common.schemaForAll(job)
            let session = LedgerSession(try PostgresConnection(.ledger(common.conninfo(job))), schema: schema)
            let needs = try job.map { try JobRights.needed(by: $0, file: self.job ?? "", session) }
            let installation = LedgerInstallation(session)
            let script = try dryRun ? installation.script(roles: roles) : installation.install(roles: roles)
            let grants = script.leftToOthers + (needs ?? [])
            if common.json {
                return JSONOutput.print(
                    Answer(
                        ledger: script.changesLedger && !dryRun ? "installed" : "unchanged", version: Schema.version,
                        roles: roles ? script.roles : nil, toGrant: roles ? grants : nil,
                        sql: dryRun ? script.statements : nil))
            }
            for line in dryRun ? Self.sql(script) : Self.told(script) { print(line) }
            guard roles else { return }
            for line in Self.next(script, needs, dryRun: dryRun) { print(line) }
        }

        /// The transaction as a script for psql.
        private static func sql(_ script: LedgerInstallation.Script) -> [String] {
            guard !script.statements.isEmpty else { return ["-- nothing to do: the ledger is there already"] }
            return ["BEGIN;"] + script.statements.map { $0.hasSuffix(";") ? $0 : $0 + ";" } + ["COMMIT;"]
        }

        private static func told(_ script: LedgerInstallation.Script) -> [String] {
            let ledger =
                script.changesLedger ? "ledger version \(Schema.version) installed" : "the ledger is there already"
            return [ledger] + (script.roles.isEmpty ? [] : ["roles: \(script.roles.joined(separator: ", "))"])
        }

        /// What is left to do by hand, which in a script stands as comments.
        private static func next(_ script: LedgerInstallation.Script, _ needs: [String]?, dryRun: Bool) -> [String] {
            var lines: [String] = []
            if !script.leftToOthers.isEmpty {
                lines.append("left to a superuser, so that coordinators see and end stuck sessions:")
                lines += script.leftToOthers.map { "  \($0);" }
            }
            if let needs {
                lines.append("left to the owner of the job's table:")
                lines += needs.map { "  \($0);" }
            } else {
                lines.append("rights on a job's table are its owner's to give: --job FILE shows them")
            }
            lines.append("then give the roles to those who log in, such as:")
            lines += script.roles.map { "  GRANT \($0) TO somebody;" }
            return dryRun ? lines.map { "-- \($0)" } : lines
        }
    }
}
