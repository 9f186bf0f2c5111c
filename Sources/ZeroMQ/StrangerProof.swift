import Host

/// The proof, before anybody can join, that an endpoint lets no stranger in: CURVE alone lets in whoever has a key pair at all.
package enum StrangerProof {
    package enum Outcome: Equatable, Sendable {
        case refused
        case letIn
        /// Nobody has said anything in time, or something else than was asked.
        case unclear
    }

    /// Milliseconds that the stranger waits for an answer. Two messages over loopback take less than one.
    package static let patience = 10_000

    /// Connects with a key that was made a moment ago, which nobody can have allowed. Holds up the loop meanwhile.
    /// - Parameter server: the key that the endpoint presents.
    package static func run(
        at endpoint: String, server: CurvePublicKey, _ authenticator: Authenticator, on loop: SocketLoop
    ) throws(ZeroMQError) -> Outcome {
        let stranger = try loop.makeSocket(.dealer)
        defer { stranger.close() }
        try stranger.useIPv6(endpoint.contains("["))
        try stranger.present(try CurveKeyPair.generate(), to: server)
        let monitor = try HandshakeMonitor(of: stranger, on: loop)
        defer { monitor.close(on: loop) }
        try stranger.connect(endpoint)
        let end = MonotonicTime.milliseconds() + Int64(patience)
        while MonotonicTime.milliseconds() < end {
            authenticator.answer()
            switch monitor.next() {
            case .keyRefused: return .refused
            case .succeeded: return .letIn
            case .mismatched, .hungUp: return .unclear
            case nil: loop.wait(for: [authenticator.socket, monitor.socket], milliseconds: 100)
            }
        }
        return .unclear
    }
}
