@testable import ZeroMQ

/// An actor with a socket that has keys, on a loop of its own, as a coordinator or a worker.
actor SecurePeer {
    nonisolated let loop = SocketLoop(name: "secure")
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    private var socket: ZeroMQSocket?
    private var authenticator: Authenticator?
    private var monitor: HandshakeMonitor?
    private var allowed: Set<CurvePublicKey> = []
    /// Keys that have asked to come in, in their order.
    private(set) var asked: [CurvePublicKey] = []
    private(set) var received: [ZeroMQMessage] = []
    private(set) var handshakes: [HandshakeEvent] = []

    /// Listens where keys are demanded, and at `plain` without.
    func listen(
        as own: CurveKeyPair, plain: String? = nil, at endpoint: String = "tcp://127.0.0.1:*", asks: Bool = true
    )
        throws -> String
    {
        let socket = try loop.makeSocket(.router)
        self.socket = socket
        if let plain { try socket.bind(plain) }
        if asks {
            authenticator = try Authenticator(on: loop) { [unowned self] request in
                assumeIsolated { peer in
                    peer.asked.append(request.key)
                    return peer.allowed.contains(request.key)
                }
            }
        }
        try socket.demandKeys(as: own)
        try socket.useIPv6(endpoint.contains("["))
        try socket.bind(endpoint)
        loop.watch(socket) { [unowned self] in assumeIsolated { $0.take() } }
        return socket.lastEndpoint()
    }

    func connect(to endpoint: String, as own: CurveKeyPair? = nil, server: CurvePublicKey? = nil) throws {
        let socket = try loop.makeSocket(.dealer)
        self.socket = socket
        if let own, let server { try socket.present(own, to: server) }
        try socket.useIPv6(endpoint.contains("["))
        let monitor = try HandshakeMonitor(of: socket, on: loop)
        self.monitor = monitor
        monitor.watch(on: loop) { [unowned self] in
            assumeIsolated { peer in while let event = peer.monitor?.next() { peer.handshakes.append(event) } }
        }
        try socket.connect(endpoint)
        loop.watch(socket) { [unowned self] in assumeIsolated { $0.take() } }
        loop.whenConnected(socket) { [unowned self] in assumeIsolated { $0.greet() } }
    }

    private func greet() { try? socket?.send([[7]]) }

    func send(_ frames: [[UInt8]]) throws { try socket?.send(frames) }

    private func take() {
        while let message = (try? socket?.receive()) ?? nil { received.append(message) }
    }

    func allow(_ keys: Set<CurvePublicKey>) { allowed = keys }

    func prove(at endpoint: String, server: CurvePublicKey) throws -> StrangerProof.Outcome {
        guard let authenticator else { return .unclear }
        return try StrangerProof.run(at: endpoint, server: server, authenticator, on: loop)
    }

    func close() {
        monitor?.close(on: loop)
        if let socket {
            loop.unwatch(socket)
            socket.close()
        }
        authenticator?.close(on: loop)
        (monitor, socket, authenticator) = (nil, nil, nil)
        loop.terminate()
    }
}
