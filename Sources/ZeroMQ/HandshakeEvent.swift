import CZeroMQ

/// What became of a socket's try to connect to a peer.
package enum HandshakeEvent: Equatable, Sendable {
    case succeeded
    /// The peer's ZAP handler refuses this key.
    case keyRefused
    /// The two ends do not demand the same: one has keys and the other none, or the keys do not fit.
    case mismatched
    /// The peer hung up before the handshake was over: so does one without the secret of the key that is asked of it.
    case hungUp

    /// Numbers of the events, for libzmq.
    static let mask =
        ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
        | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL

    /// - Parameter frame: the first of a monitor's message: the event's number in two bytes, its value in four.
    /// - Returns: nil for any other event.
    init?(frame: [UInt8]) {
        guard frame.count == 6 else { return nil }
        switch Int32(frame.withUnsafeBytes { $0.loadUnaligned(as: UInt16.self) }) {
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: self = .succeeded
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: self = .keyRefused
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: self = .mismatched
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: self = .hungUp
        default: return nil
        }
    }
}
