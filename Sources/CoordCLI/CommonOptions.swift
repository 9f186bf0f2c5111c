import ArgumentParser
import Coordinator
import Glibc
import Job
import Ledger
import Logging
import Postgres
import Sharding

/// Options that every command has.
struct CommonOptions: ParsableArguments {
    @Option(help: "libpq URI or conninfo, without a password. Default: the job's, libpq's environment, DATABASE_URL.")
    var database: String?

    @Option(help: "Schema of the ledger, as SQL writes the name. Default: coord.")
    var ledgerSchema: String?

    @Flag(help: "Print JSON on standard output.")
    var json = false

    @Flag(name: [.short, .long], help: "Say more on standard error.")
    var verbose = false

    func validate() throws {
        if let database { try Self.checkConnection(database, from: "--database") }
        if let ledgerSchema { _ = try Self.schema(ledgerSchema, from: "--ledger-schema") }
    }

    /// Refuses a password in what an option says to connect to.
    static func checkConnection(_ text: String, from option: String) throws {
        guard let reason = Job.checkConnection(text) else { return }
        throw ValidationError(
            "\(option): \(reason), which other users of this host could see and the ledger would keep: "
                + "put it into ~/.pgpass, or into a file that PGPASSFILE names")
    }

    /// What to connect to: the flag, the job, `COORD_DATABASE`, by which a coordinator tells its workers, libpq's own
    /// environment, and last `DATABASE_URL`. Nil for libpq's environment, or its defaults.
    /// - Throws: `UsageFault` when `DATABASE_URL` decides and cannot be read.
    func conninfo(_ job: Job? = nil) throws(UsageFault) -> String? {
        Suggestion.connects(to: job?.database)
        if let explicit = explicit(job) { return explicit }
        return try Self.inheritedConninfo { note, isDetail in
            if verbose || !isDetail { Terminal.complain(note) }
        }
    }

    /// What this process's arguments or the job say, which the workers that it spawns do not know by themselves.
    func explicit(_ job: Job?) -> String? { database ?? job?.database }

    /// What this process's environment says.
    ///
    /// - Parameter tell: called with what was left out, and whether that is a detail.
    static func inheritedConninfo(
        _ tell: (String, Bool) -> Void = { _, _ in },
        environment: (String) -> String? = { name in getenv(name).map { String(cString: $0) } }
    ) throws(UsageFault) -> String? {
        func value(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
        if let text = value(variable) { return text }
        if decisive.contains(where: { value($0) != nil }) { return nil }
        guard let text = value(DatabaseURL.variable) else { return nil }
        do throws(DatabaseURL.Refusal) {
            let url = try DatabaseURL(text, known: LibPQ.parameters)
            if !url.ignored.isEmpty {
                tell(
                    "\(DatabaseURL.variable): libpq does not know \(url.ignored.joined(separator: ", ")): ignored", true
                )
            }
            return url.conninfo
        } catch {
            switch error {
            case .foreign:
                tell("\(DatabaseURL.variable) is not one of PostgreSQL: ignored", false)
                return nil
            case .unclear(let reason):
                throw UsageFault(
                    description: "\(DatabaseURL.variable) cannot be used: \(reason)\n  "
                        + "mend it, or say what to connect to by --database, or by PGHOST and PGDATABASE")
            }
        }
    }

    /// Variables of libpq by which somebody has chosen a server or a database.
    static let decisive = ["PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGDATABASE"]

    static let variable = "COORD_DATABASE"

    /// Where the ledger is: by the flag, the job, then `COORD_LEDGER_SCHEMA`, by which a coordinator tells its workers.
    func schema(_ job: Job? = nil) throws -> LedgerSchema {
        let chosen = try ledgerSchema.map { try Self.schema($0, from: "--ledger-schema") } ?? job?.ledgerSchema
        guard let chosen else { return try Self.inheritedSchema() }
        return chosen
    }

    /// The same, for commands that name others in what they print.
    func schemaForAll(_ job: Job? = nil) throws -> LedgerSchema {
        let schema = try schema(job)
        if schema != .standard || getenv(Self.schemaVariable) != nil { Suggestion.looks(into: schema) }
        return schema
    }

    /// Where the environment says that the ledger is.
    static func inheritedSchema() throws -> LedgerSchema {
        guard let text = getenv(schemaVariable).map({ String(cString: $0) }), !text.isEmpty else { return .standard }
        return try schema(text, from: schemaVariable)
    }

    static let schemaVariable = "COORD_LEDGER_SCHEMA"

    private static func schema(_ text: String, from source: String) throws -> LedgerSchema {
        do throws(JobError.Item) {
            return try Job.ledgerSchema(text)
        } catch {
            throw ValidationError(
                "\(source): " + [error.message, error.mend].compactMap { $0 }.joined(separator: "\n  "))
        }
    }

    /// The place of the ledger, whether there is one or not, for a command that reads no job file.
    func session() throws -> LedgerSession {
        let schema = try schemaForAll()
        return LedgerSession(try PostgresConnection(.ledger(conninfo())), schema: schema)
    }

    /// A ledger that is there, of this build's version.
    func ledger() throws -> LedgerSession {
        let session = try session()
        try LedgerInstallation(session).require()
        return session
    }

    func logger(_ label: String) -> Logger { Self.logger(label, verbose: verbose) }

    static func logger(_ label: String, verbose: Bool) -> Logger {
        Logger(label: label) { TerminalLog(label: $0, level: verbose ? .debug : .error) }
    }
}
