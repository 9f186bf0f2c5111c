import ArgumentParser
import Glibc

/// Options of commands that coordinate.
struct CoordinationOptions: ParsableArguments {
    @Option(help: "Local worker processes; 0 waits for workers that join by --connect. Default: one a core.")
    var workers: Int = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))

    @Option(help: "Endpoint where other workers may join: tcp://HOST:PORT, tcp://*:PORT or ipc://PATH.")
    var listen: String?

    @Flag(help: "Demand keys also on 127.0.0.1 and [::1], such as at the end of a tunnel. --keys does the same.")
    var secure = false

    @OptionGroup var keys: KeysOptions

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

    func validate() throws {
        if let listen, let fault = Self.fault(ofEndpoint: listen) { throw ValidationError("--listen \(fault)") }
        if secure, listen == nil { throw ValidationError("--secure is about --listen, which is missing") }
        guard (0...Self.workerLimit).contains(workers) else {
            throw ValidationError("--workers \(workers): from 0 to \(Self.workerLimit)")
        }
    }
}
