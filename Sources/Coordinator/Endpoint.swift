import Glibc
import Host

/// Where a coordinator listens.
public enum Endpoint {
    private static let ipc = "ipc://"

    /// Whether only processes of this host can connect, so that no keys are needed.
    public static func isLocal(_ endpoint: String) -> Bool {
        endpoint.hasPrefix(ipc) || TCPAddress(endpoint)?.isLoopback == true
    }

    /// Whether a worker that connects there stays on this host. `localhost` is a name, so no coordinator listens there without
    /// keys, but it leads nowhere else.
    public static func isNear(_ endpoint: String) -> Bool {
        isLocal(endpoint) || TCPAddress(endpoint)?.host == "localhost"
    }

    /// Checks that a coordinator may listen at an endpoint: no stranger can join, no other process listens there, and no
    /// foreign file would be lost.
    ///
    /// libzmq itself replaces whatever is at the path of an ipc endpoint, even a file or a living coordinator's socket.
    /// - Parameter demandsKeys: whether the endpoint takes only workers with known keys.
    /// - Throws: `CoordinatorError`.
    public static func check(_ endpoint: String, demandsKeys: Bool = false) throws(CoordinatorError) {
        guard isLocal(endpoint) || demandsKeys else { throw .openEndpoint(endpoint) }
        if let address = TCPAddress(endpoint) {
            guard let reason = address.obstacle() else { return }
            throw .endpointTaken(endpoint, reason: reason)
        }
        // Keys are for connections over a network; a socket's file has owners and rights.
        guard !demandsKeys, endpoint.hasPrefix(ipc) else { throw .keyedFile(endpoint) }
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
