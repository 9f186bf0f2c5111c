import Glibc

/// Where a coordinator listens.
public enum Endpoint {
    /// Whether only processes of this host can connect, so that no authentication is needed.
    public static func isLocal(_ endpoint: String) -> Bool {
        if endpoint.hasPrefix("ipc://") { return true }
        guard endpoint.hasPrefix("tcp://") else { return false }
        let address = endpoint.dropFirst("tcp://".count)
        guard let colon = address.lastIndex(of: ":") else { return false }
        let host = address[..<colon]
        // The whole of 127.0.0.0/8, and nothing that only begins like it.
        var parsed = in_addr()
        return inet_pton(AF_INET, String(host), &parsed) == 1 && host.hasPrefix("127.")
    }

    /// A folder that only this user can enter, for an ipc socket.
    static func makePrivateFolder() throws -> String {
        var template = Array("/tmp/coord-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw CoordinatorError.folder(String(cString: strerror(errno))) }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
