import CZeroMQ
import Glibc
import Host
import Synchronization

/// Stands between libzmq and the kernel: which connections are accepted, and what is taken of them.
///
/// libzmq 4.3 accepts every connection, and aborts the process when an ipc listener gets EMFILE. It keeps all parts of a
/// message until the last one, however many come. So the dynamic linker leads its calls of `accept4` and `recv` to the
/// functions below. One closes a connection for which there is no room; the peer tries again later, and the listener goes on
/// as if nobody had come. The other reads along (`FrameMeter`); of a peer that sends what no worker does, libzmq hears only
/// that it has hung up.
public enum ConnectionGuard {
    private static let table = Mutex(ConnectionTable())
    /// Whether connections are metered, so that others' calls of `recv` need not wait for the lock.
    private static let isMetering = Atomic<Bool>(false)

    /// Sets the bounds for all sockets of this process.
    /// - Parameters:
    ///   - bound: connections get only descriptors below it.
    ///   - endpoint: the ipc endpoint whose connections are accepted as long as any descriptor is free, and are not metered.
    ///   - isMetered: whether the other connections are a coordinator's, so that only a worker's messages are taken of them.
    public static func limit(connectionsBelow bound: Int32, except endpoint: String?, isMetered: Bool = false) {
        coord_interpose()
        table.withLock { table in
            table.bound = bound
            table.exempt = Array((endpoint ?? "").dropFirst("ipc://".count).utf8)
            table.isMetered = isMetered
            if table.spare < 0 { table.spare = open("/dev/null", O_RDONLY | O_CLOEXEC) }
        }
        isMetering.store(isMetered, ordering: .relaxed)
    }

    /// The number of connections refused since the last call, for lack of descriptors.
    public static func takeRefused() -> Int {
        table.withLock { table in
            defer { table.refused = 0 }
            return table.refused
        }
    }

    /// Why connections were cut since the last call, in words, with their number. A table of few words, however many come.
    package static func takeCuts() -> [String: Int] {
        table.withLock { table in
            defer { table.cuts = [:] }
            return table.cuts
        }
    }

    /// A worker has said hello over the connection, and is taken. It may stay.
    package static func vouch(for connection: PeerConnection) { table.withLock { $0.vouch(for: connection, true) } }

    /// The worker of the connection has left, or was never one. It has as long as a new one to say hello.
    package static func disown(_ connection: PeerConnection) { table.withLock { $0.vouch(for: connection, false) } }

    /// Cuts the connections that have said nothing for too long.
    package static func timePassed() { table.withLock { $0.timePassed(now: MonotonicTime.milliseconds()) } }

    /// A message of this size was received over the connection, as libzmq says.
    /// - Returns: false where that cannot be: the connection is closed, and another one has its descriptor.
    static func received(over connection: PeerConnection, frames: Int, bytes: Int) -> Bool {
        guard isMetering.load(ordering: .relaxed) else { return true }
        return table.withLock { $0.received(over: connection, frames: frames, bytes: bytes) }
    }

    /// All messages that had come were received.
    static func drained() {
        guard isMetering.load(ordering: .relaxed) else { return }
        table.withLock { $0.drained() }
    }

    // MARK: - On libzmq's thread

    fileprivate static func accept(
        _ listener: Int32, _ address: UnsafeMutableRawPointer?, _ length: UnsafeMutableRawPointer?, _ flags: Int32
    ) -> Int32 {
        let connection = coord_accept4(listener, address, length, flags)
        let code = errno
        if connection >= 0 {
            let isTaken = table.withLock { $0.accepted(connection, by: listener, now: MonotonicTime.milliseconds()) }
            if isTaken { return connection }
            close(connection)
        } else if code == EMFILE {
            table.withLock { table in
                table.refused += 1
                guard table.spare >= 0 else { return }
                close(table.spare)
                let surplus = coord_accept4(listener, nil, nil, flags)
                if surplus >= 0 { close(surplus) }
                table.spare = open("/dev/null", O_RDONLY | O_CLOEXEC)
            }
        } else {
            errno = code
            return connection
        }
        // To libzmq, nobody has come.
        errno = EAGAIN
        return -1
    }

    /// Also runs on the threads of others that call `recv`.
    fileprivate static func receive(
        _ connection: Int32, _ buffer: UnsafeMutableRawPointer?, _ size: UInt, _ flags: Int32
    ) -> Int {
        let count = coord_recv(connection, buffer, size, flags)
        guard count > 0, isMetering.load(ordering: .relaxed) else { return count }
        let data = UnsafeRawBufferPointer(start: buffer, count: count)
        let isTaken = table.withLock { $0.came(data, over: connection, now: MonotonicTime.milliseconds()) }
        // To libzmq, the peer has hung up.
        return isTaken ? count : 0
    }
}

/// The body of the function that replaces the C library's `accept4`.
@_cdecl("coord_guarded_accept")
func guardedAccept(
    _ listener: Int32, _ address: UnsafeMutableRawPointer?, _ length: UnsafeMutableRawPointer?, _ flags: Int32
) -> Int32 {
    ConnectionGuard.accept(listener, address, length, flags)
}

/// The body of the function that replaces the C library's `recv`.
@_cdecl("coord_guarded_recv")
func guardedReceive(
    _ connection: Int32, _ buffer: UnsafeMutableRawPointer?, _ size: UInt, _ flags: Int32
) -> Int {
    ConnectionGuard.receive(connection, buffer, size, flags)
}
