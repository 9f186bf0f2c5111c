import CZeroMQ
import Glibc

/// The TCP connection over which a message came. libzmq has no call that closes one connection of a ROUTER.
package struct PeerConnection: Hashable, Sendable {
    private var descriptor: Int32
    /// The peer's address and port: the descriptor may be another connection's by the time that it is used.
    private var peer: [UInt8]

    /// - Returns: nil for a descriptor that is no connection, or none any more.
    package init?(descriptor: Int32) {
        guard let peer = Self.peer(of: descriptor) else { return nil }
        self.descriptor = descriptor
        self.peer = peer
    }

    /// Ends the connection, unless it has ended by itself. libzmq then sees that its peer has hung up.
    package func cut() {
        guard Self.peer(of: descriptor) == peer else { return }
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    private static func peer(of descriptor: Int32) -> [UInt8]? {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isConnected = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) == 0 }
        }
        guard isConnected else { return nil }
        return withUnsafeBytes(of: &address) { Array($0.prefix(Int(length))) }
    }
}
