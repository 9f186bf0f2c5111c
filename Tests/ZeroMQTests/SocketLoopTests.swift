import Glibc
import Testing

@testable import ZeroMQ

/// An actor that lives on a socket loop, as the coordinator and the worker do.
private actor Peer {
    nonisolated let loop = SocketLoop(name: "test")
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    private var socket: ZeroMQSocket?
    private var received: [[[UInt8]]] = []
    private var waiting: CheckedContinuation<[[UInt8]], Never>?

    func open(_ kind: ZeroMQSocket.Kind, bind endpoint: String? = nil, connect peer: String? = nil) throws -> String {
        let socket = try loop.makeSocket(kind)
        if let endpoint { try socket.bind(endpoint) }
        if let peer { try socket.connect(peer) }
        loop.watch(socket) { [unowned self] in assumeIsolated { $0.take() } }
        self.socket = socket
        return socket.lastEndpoint()
    }

    private func take() {
        while let frames = (try? socket?.receive())??.frames {
            if let waiting {
                self.waiting = nil
                waiting.resume(returning: frames)
            } else {
                received.append(frames)
            }
        }
    }

    func next() async -> [[UInt8]] {
        if !received.isEmpty { return received.removeFirst() }
        return await withCheckedContinuation { waiting = $0 }
    }

    func send(_ frames: [[UInt8]]) throws(ZeroMQError) { try socket?.send(frames) }

    /// Sends the message once a peer is connected.
    func sendWhenConnected(_ frames: [[UInt8]]) async throws {
        await whenConnected()
        try send(frames)
    }

    /// Returns once the socket has a peer.
    private func whenConnected() async { await withCheckedContinuation { wait($0) } }

    private func wait(_ continuation: CheckedContinuation<Void, Never>) {
        connecting = continuation
        guard let socket else { return }
        loop.whenConnected(socket) { [unowned self] in assumeIsolated { $0.connected() } }
    }

    private func connected() {
        connections += 1
        connecting?.resume()
        connecting = nil
    }

    private var connecting: CheckedContinuation<Void, Never>?
    private(set) var connections = 0

    func close() {
        if let socket {
            loop.unwatch(socket)
            socket.close()
        }
        socket = nil
        loop.terminate()
    }
}

@Suite(.timeLimit(.minutes(1)), .serialized)
struct SocketLoopTests {
    @Test func aDealerAndARouterExchangeMessages() async throws {
        let router = Peer()
        let dealer = Peer()
        let endpoint = try await router.open(.router, bind: "tcp://127.0.0.1:*")
        _ = try await dealer.open(.dealer, connect: endpoint)
        try await dealer.sendWhenConnected([[1, 2, 3]])
        let request = await router.next()
        #expect(request.count == 2 && request[1] == [1, 2, 3])
        try await router.send([request[0], [4]])
        #expect(await dealer.next() == [[4]])
        #expect(await dealer.connections == 1)
        await dealer.close()
        await router.close()
    }

    @Test func aRouterSaysThatAPeerIsUnknownInsteadOfDroppingTheMessage() async throws {
        let router = Peer()
        _ = try await router.open(.router, bind: "tcp://127.0.0.1:*")
        let error = await #expect(throws: ZeroMQError.self) { try await router.send([[9, 9, 9, 9, 9], [1]]) }
        #expect(error?.isUnreachable == true)
        await router.close()
    }

    @Test func aDealerWithoutAConnectionRefusesInsteadOfQueueing() async throws {
        let dealer = Peer()
        _ = try await dealer.open(.dealer, connect: "tcp://127.0.0.1:1")
        let error = await #expect(throws: ZeroMQError.self) { try await dealer.send([[1]]) }
        #expect(error?.isFull == true)
        await dealer.close()
    }

    @Test func nobodyIsConnectedBeforeTheOtherSideListens() async throws {
        let dealer = Peer()
        let endpoint = "ipc://@coord-test-\(UInt64.random(in: 0 ... .max))"
        _ = try await dealer.open(.dealer, connect: endpoint)
        let sent = Task { try await dealer.sendWhenConnected([[5]]) }
        try await Task.sleep(for: .milliseconds(50))
        #expect(await dealer.connections == 0)
        let router = Peer()
        _ = try await router.open(.router, bind: endpoint)
        #expect(await router.next()[1] == [5])
        try await sent.value
        for peer in [dealer, router] { await peer.close() }
    }

    @Test func aMessageOverTheLimitCutsItsSenderOff() async throws {
        let router = Peer()
        let greedy = Peer()
        let modest = Peer()
        let endpoint = try await router.open(.router, bind: "tcp://127.0.0.1:*")
        _ = try await greedy.open(.dealer, connect: endpoint)
        try await greedy.sendWhenConnected([[UInt8](repeating: 0, count: Int(ZeroMQSocket.maxMessageSize) + 1)])
        _ = try await modest.open(.dealer, connect: endpoint)
        try await modest.sendWhenConnected([[7]])
        // The large message was sent first. It would be received first if it had not been dropped.
        #expect(await router.next()[1] == [7])
        for peer in [greedy, modest, router] { await peer.close() }
    }

    /// The bound is zero here, so every descriptor exceeds it.
    @Test func connectionOverTheBoundIsRefusedAndTakenOnceThereIsRoom() async throws {
        let router = Peer()
        let path = "ipc:///tmp/coord-guard-\(UInt64.random(in: 0 ... .max))"
        let host = Peer()
        let endpoint = try await router.open(.router, bind: "tcp://127.0.0.1:*")
        _ = try await host.open(.router, bind: path)
        ConnectionGuard.limit(connectionsBelow: 0, except: path)
        let stranger = Peer()
        let own = Peer()
        _ = try await stranger.open(.dealer, connect: endpoint)
        _ = try await own.open(.dealer, connect: path)
        // The own socket's path is exempt from the bound, so its connection is accepted and the other one is not.
        try await own.sendWhenConnected([[1]])
        var refused = 0
        for _ in 0..<500 where refused == 0 {
            refused = ConnectionGuard.takeRefused()
            if refused == 0 { try await Task.sleep(for: .milliseconds(10)) }
        }
        #expect(refused > 0)
        ConnectionGuard.limit(connectionsBelow: .max, except: nil)
        try await stranger.sendWhenConnected([[2]])
        #expect(await router.next()[1] == [2])
        for peer in [stranger, own, host, router] { await peer.close() }
        unlink(String(path.dropFirst("ipc://".count)))
    }

    @Test func jobsRunInOrderOnTheLoopsThread() async throws {
        let peer = Peer()
        for _ in 0..<1000 { try await peer.check() }
        await peer.close()
    }
}

extension Peer {
    fileprivate func check() throws { loop.checkIsolated() }
}
