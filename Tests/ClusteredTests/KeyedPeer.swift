import Wire
import ZeroMQ

/// A worker's end of the protocol in the test's hands, with a key or without.
actor KeyedPeer {
    private nonisolated let loop = SocketLoop(name: "keyed")
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    private var socket: ZeroMQSocket?

    func connect(to endpoint: String, as own: CurveKeyPair? = nil, server: CurvePublicKey? = nil) throws {
        let socket = try loop.makeSocket(.dealer)
        if let own, let server { try socket.present(own, to: server) }
        try socket.connect(endpoint)
        self.socket = socket
    }

    func send(_ frame: [UInt8]) throws { try socket?.send([frame]) }

    /// The next message, or nil when none waits.
    func receive() throws -> CoordinatorMessage? {
        guard let frame = try socket?.receive()?.frames.last else { return nil }
        return try CoordinatorMessage.decode(frame)
    }

    func close() {
        socket?.close()
        socket = nil
        loop.terminate()
    }
}
