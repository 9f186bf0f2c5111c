import CZeroMQ
import Glibc

/// An error of libzmq, with its errno kept.
public struct ZeroMQError: Error, Sendable, Equatable, CustomStringConvertible {
    public var code: Int32
    var operation: String

    init(_ operation: String) {
        code = zmq_errno()
        self.operation = operation
    }

    /// - Parameter code: errno.
    init(_ operation: String, code: Int32) {
        self.code = code
        self.operation = operation
    }

    public var description: String { "\(operation): \(String(cString: zmq_strerror(code)))" }

    /// No peer has this address: the error of a ROUTER with ROUTER_MANDATORY.
    public var isUnreachable: Bool { code == EHOSTUNREACH }
    /// The peer does not read fast enough.
    public var isFull: Bool { code == EAGAIN }
}
