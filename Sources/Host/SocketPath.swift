import Glibc

/// Whether a unix socket's path is free to listen on.
package enum SocketPath: Equatable {
    /// Nothing is there, or a socket without a listener: the path may be used.
    case free
    /// Another process listens there.
    case taken
    /// A file that is no socket.
    case file
    /// The path cannot be used, or it cannot be examined; with the reason.
    case impossible(String)

    /// Bytes of the path of a unix socket (`sun_path` without its end).
    package static let limit = 107

    package static func examine(_ path: String) -> SocketPath {
        guard path.utf8.count <= limit else {
            return .impossible("its path has \(path.utf8.count) bytes, and that of a socket at most \(limit)")
        }
        var status = stat()
        guard lstat(path, &status) == 0 else {
            guard errno == ENOENT else { return .impossible(reason(errno)) }
            let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
            guard access(folder.isEmpty ? "/" : folder, W_OK | X_OK) == 0 else {
                return .impossible("\(folder): \(reason(errno))")
            }
            return .free
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else { return .file }
        return listens(at: path)
    }

    private static func listens(at path: String) -> SocketPath {
        let kinds = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, kinds, 0)
        guard descriptor >= 0 else { return .impossible(reason(errno)) }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        // Only a living listener can have a full queue.
        if connected || errno == EAGAIN || errno == EINPROGRESS { return .taken }
        return errno == ECONNREFUSED || errno == ENOENT ? .free : .impossible(reason(errno))
    }

    private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}
