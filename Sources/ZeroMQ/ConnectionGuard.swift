import CZeroMQ
import Glibc
import Synchronization

/// Which connections libzmq takes: none that would leave this process without file descriptors.
///
/// libzmq 4.3 takes every connection that comes, and aborts the process when an ipc listener gets EMFILE. Its listeners
/// call `accept4` by the dynamic linker, which finds the one below: a connection over the bound is closed at once, its peer
/// tries again later, and the listener goes on as if nobody had come.
public enum ConnectionGuard {
    private struct Rules {
        /// The first descriptor that no connection may have; the kernel gives the lowest that is free.
        var bound = Int32.max
        /// The path of the one ipc endpoint that the bound is not for, as bytes.
        var exempt: [UInt8] = []
        var refused = 0
        /// Opened on /dev/null, to have one descriptor with which a connection can be taken and closed when there is no
        /// other: it would wake its listener for ever. -1 where there is none.
        var spare: Int32 = -1
    }

    private static let rules = Mutex(Rules())

    /// Sets the bound for all sockets of this process.
    /// - Parameters:
    ///   - bound: connections get lower descriptors only.
    ///   - endpoint: the ipc endpoint whose connections are taken as long as there is any descriptor.
    public static func limit(connectionsBelow bound: Int32, except endpoint: String?) {
        coord_interpose_accept()
        rules.withLock { rules in
            rules.bound = bound
            rules.exempt = Array((endpoint ?? "").dropFirst("ipc://".count).utf8)
            if rules.spare < 0 { rules.spare = open("/dev/null", O_RDONLY | O_CLOEXEC) }
        }
    }

    /// Connections that were refused since it was asked last.
    public static func takeRefused() -> Int {
        rules.withLock { rules in
            defer { rules.refused = 0 }
            return rules.refused
        }
    }

    /// On libzmq's thread.
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
        // As if nobody had come.
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

/// What the function does that takes the place of the C library's `accept4`.
@_cdecl("coord_guarded_accept")
func guardedAccept(
    _ listener: Int32, _ address: UnsafeMutableRawPointer?, _ length: UnsafeMutableRawPointer?, _ flags: Int32
) -> Int32 {
    ConnectionGuard.accept(listener, address, length, flags)
}
