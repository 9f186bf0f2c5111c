import ArgumentParser
import Glibc
import Job
import Logging

/// Options that every command has.
struct CommonOptions: ParsableArguments {
    @Option(help: "libpq URI or conninfo, without a password. Default: libpq's environment.")
    var database: String?

    @Flag(help: "Print JSON on standard output.")
    var json = false

    @Flag(name: [.short, .long], help: "Say more on standard error.")
    var verbose = false

    func validate() throws {
        guard let database, let reason = Job.checkConnection(database) else { return }
        throw ValidationError("--database: \(reason)")
    }

    /// What to connect to: the flag, the job, then `COORD_DATABASE`, by which a coordinator tells its workers.
    func conninfo(_ job: Job? = nil) -> String? {
        database ?? job?.database ?? Self.inheritedConninfo
    }

    /// What the coordinator that spawned this process connects to.
    static var inheritedConninfo: String? { getenv(variable).map { String(cString: $0) } }

    static let variable = "COORD_DATABASE"

    func logger(_ label: String) -> Logger { Self.logger(label, verbose: verbose) }

    static func logger(_ label: String, verbose: Bool) -> Logger {
        Logger(label: label) { TerminalLog(label: $0, level: verbose ? .debug : .error) }
    }
}

/// Options of commands that coordinate.
struct CoordinationOptions: ParsableArguments {
    @Option(help: "Local worker processes; 0 waits for workers that join by --connect. Default: one a core.")
    var workers: Int = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))

    @Option(help: "Endpoint where other workers may join: ipc://PATH, or tcp://127.0.0.1:PORT.")
    var listen: String?

    static let workerLimit = 512

    func validate() throws {
        guard (0...Self.workerLimit).contains(workers) else {
            throw ValidationError("--workers \(workers): from 0 to \(Self.workerLimit)")
        }
    }
}
