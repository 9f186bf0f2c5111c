import Glibc
import Host

/// Where a coordinator listens.
public enum Endpoint {
    private static let ipc = "ipc://"
    private static let tcp = "tcp://"

    /// Whether only processes of this host can connect, so that no authentication is needed.
    public static func isLocal(_ endpoint: String) -> Bool {
        if endpoint.hasPrefix(ipc) { return true }
        guard let (host, _) = tcpAddress(endpoint) else { return false }
        // The whole of 127.0.0.0/8 is local, but a name that only begins like such an address is not.
        var parsed = in_addr()
        return inet_pton(AF_INET, host, &parsed) == 1 && host.hasPrefix("127.")
    }

    /// Checks that a coordinator may listen at an endpoint: no other process listens there, and no foreign file would
    /// be lost.
    ///
    /// libzmq itself replaces whatever is at the path of an ipc endpoint, even a file or a living coordinator's socket.
    /// - Throws: `CoordinatorError`.
    public static func check(_ endpoint: String) throws(CoordinatorError) {
        guard isLocal(endpoint) else { throw .openEndpoint(endpoint) }
        if let (host, port) = tcpAddress(endpoint) { return try checkPort(endpoint, host, port) }
        let path = String(endpoint.dropFirst(ipc.count))
        // Names without a file, and names that libzmq makes up, belong to nobody.
        guard !path.isEmpty, !path.hasPrefix("@"), path != "*" else { return }
        switch SocketPath.examine(path) {
        case .free: return
        case .taken: throw .endpointTaken(endpoint, reason: "another coordinator listens there")
        case .file: throw .endpointTaken(endpoint, reason: "there is a file that is no socket")
        case .impossible(let reason): throw .endpointTaken(endpoint, reason: reason)
        }
    }

    private static func tcpAddress(_ endpoint: String) -> (host: String, port: String)? {
        guard endpoint.hasPrefix(tcp) else { return nil }
        let address = endpoint.dropFirst(tcp.count)
        guard let colon = address.lastIndex(of: ":") else { return nil }
        return (String(address[..<colon]), String(address[address.index(after: colon)...]))
    }

    private static func checkPort(_ endpoint: String, _ host: String, _ port: String) throws(CoordinatorError) {
        // The system chooses a free port.
        if port == "*" || port == "0" { return }
        guard let number = UInt16(port) else { throw .endpointTaken(endpoint, reason: "\(port) is no port") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = number.bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        // A process that cannot have a socket gets an error when it listens.
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        // libzmq sets the same option: then connections that ended a moment ago do not block the port.
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        // `listen` is needed too: the port of another process that listens with the same option looks free to `bind`.
        guard isBound, listen(descriptor, 1) == 0 else {
            let reason = errno == EADDRINUSE ? "another process listens there" : String(cString: strerror(errno))
            throw .endpointTaken(endpoint, reason: reason)
        }
    }

    // MARK: - The private folder

    private static let folderName = "coord-XXXXXX"

    /// A folder that only this user can enter, for an ipc socket: in `TMPDIR`, in /tmp, or in `XDG_RUNTIME_DIR`.
    /// `XDG_RUNTIME_DIR` comes last, since the system removes it when its user logs out.
    static func makePrivateFolder() throws(CoordinatorError) -> String {
        var places: [String] = []
        for place in [variable("TMPDIR"), "/tmp", variable("XDG_RUNTIME_DIR")] {
            if let place, place.hasPrefix("/"), !places.contains(place) { places.append(place) }
        }
        return try makePrivateFolder(in: places)
    }

    static func makePrivateFolder(in places: [String]) throws(CoordinatorError) -> String {
        var reasons: [String] = []
        for place in places {
            let path = "\(place)/\(folderName)"
            let bytes = PrivateEndpoint.path(inside: path).utf8.count
            guard bytes <= SocketPath.limit else {
                reasons.append(
                    "\(place): a socket's path there has \(bytes) bytes, and at most \(SocketPath.limit) can be")
                continue
            }
            var template = Array(path.utf8CString)
            if mkdtemp(&template) != nil {
                return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }
            reasons.append("\(place): \(String(cString: strerror(errno)))")
        }
        throw .folder(reasons.joined(separator: "; "))
    }

    private static func variable(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        var text = String(cString: value)
        while text.count > 1, text.hasSuffix("/") { text.removeLast() }
        return text.isEmpty ? nil : text
    }
}
