import Glibc
import Testing

@testable import ZeroMQ

/// Keys over real sockets: what libzmq does with them is what coord's safety hangs on.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct CurveTests {
    private let server: CurveKeyPair
    private let worker: CurveKeyPair

    init() throws {
        server = try CurveKeyPair.generate()
        worker = try CurveKeyPair.generate()
    }

    /// Waits until there is a value; the suite's time limit ends it.
    private func first<Value: Sendable>(_ body: () async throws -> Value?) async throws -> Value {
        while true {
            if let value = try await body() { return value }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private func listening(_ allowed: Set<CurvePublicKey>, at endpoint: String = "tcp://127.0.0.1:*") async throws
        -> (peer: SecurePeer, endpoint: String)
    {
        let peer = SecurePeer()
        await peer.allow(allowed)
        return (peer, try await peer.listen(as: server, at: endpoint))
    }

    @Test(arguments: ["tcp://127.0.0.1:*", "tcp://[::1]:*"])
    func peerWithAnAllowedKeyIsNamedByItInEveryMessage(_ place: String) async throws {
        let (router, endpoint) = try await listening([worker.publicKey], at: place)
        let dealer = SecurePeer()
        try await dealer.connect(to: endpoint, as: worker, server: server.publicKey)
        _ = try await first { await router.received.first }
        try await dealer.send([[8]])
        let messages = try await first { await router.received.count > 1 ? await router.received : nil }
        #expect(messages.map { $0.frames.last } == [[7], [8]])
        #expect(messages.map(\.userID) == [worker.publicKey.text, worker.publicKey.text])
        #expect(await dealer.handshakes == [.succeeded])
        for peer in [dealer, router] { await peer.close() }
    }

    @Test func peerWithAnUnknownKeyLearnsThatItsKeyIsTheReason() async throws {
        let (router, endpoint) = try await listening([])
        let dealer = SecurePeer()
        try await dealer.connect(to: endpoint, as: worker, server: server.publicKey)
        #expect(try await first { await dealer.handshakes.first } == .keyRefused)
        #expect(await router.asked.contains(worker.publicKey))
        #expect(await router.received == [])
        for peer in [dealer, router] { await peer.close() }
    }

    @Test func peerThatHasPinnedAnotherServerIsNotHeard() async throws {
        let (router, endpoint) = try await listening([worker.publicKey])
        let dealer = SecurePeer()
        try await dealer.connect(to: endpoint, as: worker, server: worker.publicKey)
        #expect(try await first { await dealer.handshakes.first } == .hungUp)
        #expect(await router.asked == [])
        #expect(await router.received == [])
        for peer in [dealer, router] { await peer.close() }
    }

    @Test func peerWithoutAKeyIsNotHeard() async throws {
        let (router, endpoint) = try await listening([worker.publicKey])
        let dealer = SecurePeer()
        try await dealer.connect(to: endpoint)
        // Whichever end finds it out first.
        let event = try await first { await dealer.handshakes.first }
        #expect(event == .mismatched || event == .hungUp)
        #expect(await router.received == [])
        for peer in [dealer, router] { await peer.close() }
    }

    /// One socket has the private endpoint of local workers and the one for others.
    @Test func endpointBoundBeforeTheKeysAsksForNone() async throws {
        let router = SecurePeer()
        let plain = "ipc:///tmp/coord-curve-\(UInt64.random(in: 0 ... .max))"
        let endpoint = try await router.listen(as: server, plain: plain)
        await router.allow([worker.publicKey])
        let (local, far) = (SecurePeer(), SecurePeer())
        try await local.connect(to: plain)
        let first = try await first { await router.received.first }
        #expect(first.userID == nil)
        try await far.connect(to: endpoint, as: worker, server: server.publicKey)
        let second = try await self.first { await router.received.count > 1 ? await router.received.last : nil }
        #expect(second.userID == worker.publicKey.text)
        for peer in [local, far, router] { await peer.close() }
        unlink(String(plain.dropFirst("ipc://".count)))
    }

    /// The list alone ends no connection that stands.
    @Test func connectionThatIsCutIsNotMadeAnewByAKeyThatIsNotAllowedAnyMore() async throws {
        let (router, endpoint) = try await listening([worker.publicKey])
        let dealer = SecurePeer()
        try await dealer.connect(to: endpoint, as: worker, server: server.publicKey)
        let message = try await first { await router.received.first }
        await router.allow([])
        try #require(message.connection).cut()
        let events = try await first { await dealer.handshakes.count > 1 ? await dealer.handshakes : nil }
        #expect(events == [.succeeded, .keyRefused])
        for peer in [dealer, router] { await peer.close() }
    }

    @Test func strangerIsProvenToBeRefused() async throws {
        let (router, endpoint) = try await listening([worker.publicKey])
        #expect(try await router.prove(at: endpoint, server: server.publicKey) == .refused)
        // A proof that could not fail would be none.
        #expect(try await router.prove(at: endpoint, server: worker.publicKey) == .unclear)
        await router.close()
    }

    /// The negative control: a handler that lets everybody in is found out.
    @Test func handlerThatLetsStrangersInIsFoundOut() async throws {
        let loose = LoosePeer()
        #expect(try await loose.outcome(as: server) == .letIn)
    }

    /// Without a handler libzmq lets every key in, unless the domain is enforced.
    @Test func withoutAHandlerNobodyIsLetIn() async throws {
        let router = SecurePeer()
        let endpoint = try await router.listen(as: server, asks: false)
        let dealer = SecurePeer()
        try await dealer.connect(to: endpoint, as: worker, server: server.publicKey)
        let event = try await first { await dealer.handshakes.first }
        #expect(event != .succeeded)
        #expect(await router.received == [])
        for peer in [dealer, router] { await peer.close() }
    }

    @Test func secretIsInNoTextOfAPair() throws {
        let pair = try CurveKeyPair.generate()
        var dumped = ""
        dump(pair, to: &dumped)
        for text in ["\(pair)", String(reflecting: pair), "\([pair])", "\(Optional(pair) as Any)", dumped] {
            #expect(!text.contains(pair.secret))
        }
        #expect(CurveKeyPair(secret: pair.secret)?.publicKey == pair.publicKey)
    }

    @Test(arguments: ["", "short", String(repeating: " ", count: 40), String(repeating: "é", count: 20)])
    func textThatIsNoKeyIsNone(_ text: String) {
        #expect(CurvePublicKey(text) == nil)
        #expect(CurveKeyPair(secret: text) == nil)
    }

    @Test func questionsThatAreNoneAreRefused() {
        let key = [UInt8](repeating: 1, count: 32)
        let curve = Array("CURVE".utf8)
        let good = [Array("1.0".utf8), [9], Array("coord".utf8), Array("10.0.0.7".utf8), [], curve, key]
        #expect(ZAPRequest(frames: good)?.address == "10.0.0.7")
        #expect(ZAPRequest(frames: good)?.reply(isAllowed: true)[2] == Array("200".utf8))
        for (index, frame) in [(0, Array("2.0".utf8)), (5, Array("NULL".utf8)), (6, [1])] {
            var bad = good
            bad[index] = frame
            #expect(ZAPRequest(frames: bad) == nil)
        }
        #expect(ZAPRequest(frames: []) == nil)
        #expect(ZAPRequest.refusal(of: good)[1...2] == [[9], Array("400".utf8)])
    }
}

/// A coordinator whose handler lets everybody in.
private actor LoosePeer {
    nonisolated let loop = SocketLoop(name: "loose")
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    func outcome(as own: CurveKeyPair) throws -> StrangerProof.Outcome {
        let authenticator = try Authenticator(on: loop) { _ in true }
        let socket = try loop.makeSocket(.router)
        try socket.demandKeys(as: own)
        try socket.bind("tcp://127.0.0.1:*")
        let outcome = try StrangerProof.run(
            at: socket.lastEndpoint(), server: own.publicKey, authenticator, on: loop)
        socket.close()
        authenticator.close(on: loop)
        loop.terminate()
        return outcome
    }
}
