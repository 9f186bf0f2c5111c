import Glibc
import Synchronization

/// A TCP proxy in front of the test's server. It can stop forwarding while all its sockets stay open, like a load
/// balancer that has lost its other side. The kernel still acknowledges what it receives.
final class SilentProxy: Sendable {
    let port: UInt16
    private let listener: Int32
    private let state = Mutex(State())

    private struct State {
        /// The bytes of the server that are still forwarded; nil for all.
        var left: Int?
        var hasEnded = false
        /// Pairs of a client's socket and the server's socket.
        var pairs: [(client: Int32, server: Int32)] = []
    }

    init() throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        port = try Self.listen(listener, backlog: 16)
        let unmanaged = Unmanaged.passRetained(self)
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<SilentProxy>.fromOpaque(argument).takeRetainedValue().forward()
                return nil
            }, unmanaged.toOpaque())
        pthread_detach(thread)
    }

    struct SocketError: Error { let code = errno }

    static func listen(_ descriptor: Int32, backlog: Int32) throws -> UInt16 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return try withUnsafeMutablePointer(to: &address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                guard bind(descriptor, $0, length) == 0, Glibc.listen(descriptor, backlog) == 0,
                    getsockname(descriptor, $0, &length) == 0
                else { throw SocketError() }
            }
            return UInt16(bigEndian: pointer.pointee.sin_port)
        }
    }

    /// - Parameter bytes: how many more bytes of the server are forwarded. After them nothing is forwarded, either way.
    func fallSilent(afterBytesOfTheServer bytes: Int = 0) { state.withLock { $0.left = bytes } }

    func end() {
        state.withLock { $0.hasEnded = true }
    }

    private func forward() {
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let (pairs, left, hasEnded) = state.withLock { ($0.pairs, $0.left, $0.hasEnded) }
            if hasEnded { break }
            var items = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
            for pair in pairs {
                // poll ignores a descriptor below zero.
                items.append(pollfd(fd: left == nil || left != 0 ? pair.client : -1, events: Int16(POLLIN), revents: 0))
                items.append(pollfd(fd: left == 0 ? -1 : pair.server, events: Int16(POLLIN), revents: 0))
            }
            guard poll(&items, nfds_t(items.count), 20) > 0 else { continue }
            if items[0].revents != 0 { accept() }
            for (index, pair) in pairs.enumerated() {
                if items[1 + 2 * index].revents != 0 { move(&buffer, pair.client, pair.server, ofServer: false) }
                if items[2 + 2 * index].revents != 0 { move(&buffer, pair.server, pair.client, ofServer: true) }
            }
        }
        close(listener)
        for pair in state.withLock({ $0.pairs }) {
            close(pair.client)
            close(pair.server)
        }
    }

    private func move(_ buffer: inout [UInt8], _ from: Int32, _ to: Int32, ofServer: Bool) {
        let limit = state.withLock { state in
            guard let left = state.left else { return buffer.count }
            return min(left, buffer.count)
        }
        guard limit > 0 else { return }
        let count = read(from, &buffer, limit)
        guard count > 0 else {
            shutdown(to, Int32(SHUT_WR))
            state.withLock { $0.pairs.removeAll { $0.client == from || $0.server == from } }
            return
        }
        if ofServer { state.withLock { if let left = $0.left { $0.left = max(0, left - count) } } }
        var sent = 0
        while sent < count {
            let written = buffer.withUnsafeBytes { bytes in
                bytes.baseAddress.map { send(to, $0 + sent, count - sent, Int32(MSG_NOSIGNAL)) } ?? -1
            }
            guard written > 0 else { return }
            sent += written
        }
    }

    private func accept() {
        let client = Glibc.accept(listener, nil, nil)
        guard client >= 0 else { return }
        let server = Self.connectToServer()
        state.withLock { $0.pairs.append((client, server)) }
    }

    /// Connects by the Unix socket, where the test's server asks for no password.
    private static func connectToServer() -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = "\(String(cString: getenv("PGHOST")))/.s.PGSQL.\(String(cString: getenv("PGPORT")))"
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        precondition(status == 0, "the server's socket \(path) cannot be reached: \(errno)")
        return descriptor
    }
}

/// A port of this host whose queue of connections is full. A further connection is neither accepted nor refused.
final class FullPort {
    let port: UInt16
    private let listener: Int32
    private var fillers: [Int32] = []

    init() throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        port = try SilentProxy.listen(listener, backlog: 0)
        for _ in 0..<4 {
            let filler = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
            address.sin_port = port.bigEndian
            withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    // All connections but the first stay in progress for ever.
                    _ = connect(filler, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            fillers.append(filler)
        }
    }

    deinit { for descriptor in fillers + [listener] { close(descriptor) } }
}
