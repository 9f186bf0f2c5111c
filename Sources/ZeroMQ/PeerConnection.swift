import CZeroMQ
import Glibc

/// The connection over which a message came. libzmq has no call that closes one connection of a ROUTER.
package struct PeerConnection: Hashable, Sendable {
    let descriptor: Int32
    /// The socket's own number: the descriptor may be another connection's by the time that it is used.
    let number: UInt64

    /// - Returns: nil for a descriptor that is no connection, or none any more.
    package init?(descriptor: Int32) {
        guard let number = Self.number(of: descriptor) else { return nil }
        self.descriptor = descriptor
        self.number = number
    }

    /// Ends the connection, unless it has ended by itself. libzmq then sees that its peer has hung up.
    package func cut() {
        guard isOpen else { return }
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    var isOpen: Bool { Self.number(of: descriptor) == number }

    /// The number of the socket behind a descriptor; nil if it is none.
    static func number(of descriptor: Int32) -> UInt64? {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
        return UInt64(status.st_ino)
    }
}
