import ArgumentParser
import Coordinator
import Glibc
import Host

/// Options of commands that coordinate.
struct CoordinationOptions: ParsableArguments {
    @Option(
        help:
            "Local worker processes; 0 waits for workers that join by --connect. With --hosts: on each host, this one included. Default: one a core."
    )
    var workers: Int?

    @Option(help: "File of hosts (YAML) on which workers are started over ssh, and ended.")
    var hosts: String?

    @Option(help: "Endpoint where other workers may join: tcp://HOST:PORT, tcp://*:PORT or ipc://PATH.")
    var listen: String?

    @Flag(help: "Demand keys also on 127.0.0.1 and [::1], such as at the end of a tunnel. --keys does the same.")
    var secure = false

    @OptionGroup var keys: KeysOptions

    @Option(help: "What local workers connect to, as a role of their own: libpq URI or conninfo, without a password.")
    var workerDatabase: String?

    /// As whom the workers connect: whoever joins may be any role.
    var workersRole: WorkersRole {
        if let workerDatabase { return .other(.ledger(workerDatabase)) }
        // Hosts have settings of their own, and there need be no worker here.
        return workers == 0 || hosts != nil ? .unknown : .same
    }

    static let workerLimit = 512

    /// Why a text is no endpoint; nil where it has the form of one.
    static func fault(ofEndpoint text: String) -> String? {
        let port = text.split(separator: ":").last.map(String.init).flatMap { UInt16($0) } ?? 27_700
        for scheme in ["ipc://", "tcp://"] where text.hasPrefix(scheme) {
            let address = text.dropFirst(scheme.count)
            if scheme == "ipc://" ? !address.isEmpty : address.contains(":") { return nil }
        }
        return "\(text.visible): an endpoint is tcp://127.0.0.1:\(port), tcp://HOST:PORT or ipc://PATH"
    }

    /// Local workers where only the command line says how many.
    var workersHere: Int { workers ?? Processors.count }
    /// Where workers of other hosts join; nil for nowhere.
    var endpoint: String? { listen ?? (hosts == nil ? nil : Self.anyEndpoint) }
    /// All addresses, and a port that is free.
    private static let anyEndpoint = "tcp://*:*"

    func validate() throws {
        if let listen, let fault = Self.fault(ofEndpoint: listen) { throw ValidationError("--listen \(fault)") }
        if let workerDatabase { try CommonOptions.checkConnection(workerDatabase, from: "--worker-database") }
        if hosts != nil, listen?.hasPrefix("ipc://") == true {
            throw ValidationError("--listen \(listen?.visible ?? ""): workers of --hosts need tcp://HOST:PORT")
        }
        if secure, endpoint == nil { throw ValidationError("--secure is about --listen, which is missing") }
        if let workers, !(0...Self.workerLimit).contains(workers) {
            throw ValidationError("--workers \(workers): from 0 to \(Self.workerLimit)")
        }
    }
}
