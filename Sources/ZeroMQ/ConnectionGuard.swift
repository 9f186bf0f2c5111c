import CZeroMQ
import Glibc
import Synchronization

/// Keeps libzmq from accepting connections that would leave this process without file descriptors.
///
/// libzmq 4.3 accepts every connection, and aborts the process when an ipc listener gets EMFILE. The dynamic linker
/// leads its listeners' calls of `accept4` to the function below. It closes a connection over the bound at once; the
/// peer tries again later, and the listener goes on as if nobody had come.
public enum ConnectionGuard {
    private struct Rules {
        /// Connections get lower descriptors only. The kernel always gives the lowest free descriptor.
        var bound = Int32.max
        /// The path, as bytes, of the one ipc endpoint without the bound.
        var exempt: [UInt8] = []
        var refused = 0
        /// A descriptor on /dev/null, held in reserve. When no other is free, it makes room to accept and close a
        /// connection, which would otherwise wake its listener for ever. -1 if there is none.
        var spare: Int32 = -1
    }

    private static let rules = Mutex(Rules())

    /// Sets the bound for all sockets of this process.
    /// - Parameters:
    ///   - bound: connections get only descriptors below it.
    ///   - endpoint: the ipc endpoint whose connections are accepted as long as any descriptor is free.
    public static func limit(connectionsBelow bound: Int32, except endpoint: String?) {
        coord_interpose_accept()
        rules.withLock { rules in
            rules.bound = bound
            rules.exempt = Array((endpoint ?? "").dropFirst("ipc://".count).utf8)
            if rules.spare < 0 { rules.spare = open("/dev/null", O_RDONLY | O_CLOEXEC) }
        }
    }

    /// The number of connections refused since the last call.
    public static func takeRefused() -> Int {
        rules.withLock { rules in
            defer { rules.refused = 0 }
            return rules.refused
        }
    }

    /// Runs on libzmq's thread.
    fileprivate static func accept(
        _ listener: Int32, _ address: UnsafeMutableRawPointer?, _ length: UnsafeMutableRawPointer?, _ flags: Int32
    ) -> Int32 {
        let connection = coord_accept4(listener, address, length, flags)
        let code = errno
        if connection >= 0 {
            let isRefused = rules.withLock { rules in
                guard connection >= rules.bound, rules.exempt.isEmpty || path(of: listener) != rules.exempt else {
                    return false
                }
                rules.refused += 1
                return true
            }
            guard isRefused else { return connection }
            close(connection)
        } else if code == EMFILE {
            rules.withLock { rules in
                rules.refused += 1
                guard rules.spare >= 0 else { return }
                close(rules.spare)
                let surplus = coord_accept4(listener, nil, nil, flags)
                if surplus >= 0 { close(surplus) }
                rules.spare = open("/dev/null", O_RDONLY | O_CLOEXEC)
            }
        } else {
            errno = code
            return connection
        }
        // To libzmq, nobody has come.
        errno = EAGAIN
        return -1
    }

    private static func path(of listener: Int32) -> [UInt8] {
        var address = sockaddr_un()
        var length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let isKnown = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) == 0 }
        }
        guard isKnown, address.sun_family == sa_family_t(AF_UNIX) else { return [] }
        return withUnsafeBytes(of: &address.sun_path) { Array($0.prefix { $0 != 0 }) }
    }
}

/// The body of the function that replaces the C library's `accept4`.
@_cdecl("coord_guarded_accept")
func guardedAccept(
    _ listener: Int32, _ address: UnsafeMutableRawPointer?, _ length: UnsafeMutableRawPointer?, _ flags: Int32
) -> Int32 {
    ConnectionGuard.accept(listener, address, length, flags)
}
