import Foundation
import Glibc
import Sharding
import Testing
import Wire
import ZeroMQ

/// A worker and a coordinator with different protocol versions do not work together.
@Suite struct ProtocolVersionTests {
    @Test(arguments: [protocolVersion - 1, protocolVersion + 1])
    func helloOfAnotherVersionIsRefusedWithBothNamed(version: UInt32) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 100)
            let endpoint = "ipc://\(scenario.folder)/join"
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "0", "--listen", endpoint)
            try await eventually("it says where to join") { coordinator.errors.contains(endpoint) }

            let stranger = Peer()
            try await stranger.open(.dealer, connect: endpoint)
            let hello = Hello(version: version, host: "elsewhere", pid: 1)
            let greeting = try WorkerMessage.hello(hello).encoded(by: WorkerID(UUID().uuidString.lowercased()))
            let answer = try await first("the coordinator answers") {
                // A send fails until the connection exists.
                try? await stranger.send([greeting])
                return try await stranger.receive()
            }
            guard case .refused(let refusal) = try CoordinatorMessage.decode(try #require(answer.last)) else {
                Issue.record("no refusal: \(answer)")
                return
            }
            #expect(refusal.reason == "it speaks protocol \(version), the coordinator \(protocolVersion)")
            #expect(refusal.mend.contains("same version of coord"))
            await stranger.close()

            // The coordinator still takes workers of its own version.
            let worker = try scenario.coord("worker", "--connect", endpoint)
            #expect(try await coordinator.ended().status == 0)
            #expect(try await worker.ended(within: .seconds(10)).status == 0)
            #expect(try await items.violations(run: try await scenario.newestRun()) == [])
        }
    }

    @Test func workerThatIsRefusedEndsWithTheReason() async throws {
        try await Scenario.run { scenario in
            let endpoint = "ipc://\(scenario.folder)/join"
            let coordinator = Peer()
            try await coordinator.open(.router, bind: endpoint)
            let worker = try scenario.coord("worker", "--connect", endpoint, "--json")
            let frames = try await first("it says hello") { try await coordinator.receive() }
            guard case .hello(let hello) = try WorkerMessage.decode(try #require(frames.last)).message else {
                Issue.record("no HELLO: \(frames)")
                return
            }
            #expect(hello.version == protocolVersion)
            #expect(hello.pid == worker.pid)
            let reason = "it speaks protocol \(hello.version), the coordinator 7"
            let refusal = Refusal(reason: reason, mend: "install the same version of coord on both hosts")
            try await coordinator.send([frames[0], CoordinatorMessage.refused(refusal).encoded()])

            let ended = try await worker.ended(within: .seconds(10))
            #expect(ended.status == 1)
            #expect(ended.errors.contains("the coordinator refused this worker: \(reason)"))
            #expect(ended.errors.contains("install the same version of coord on both hosts"))
            let summary = try #require(try JSON.lines(ended.output).last)
            #expect(summary["ended"].string == "refused")
            #expect(summary["error"].string?.contains(reason) == true)
            await coordinator.close()
        }
    }
}

/// One end of the protocol, which the test plays itself.
private actor Peer {
    private nonisolated let loop = SocketLoop(name: "peer")
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    private var socket: ZeroMQSocket?

    func open(_ kind: ZeroMQSocket.Kind, bind own: String? = nil, connect other: String? = nil) throws {
        let socket = try loop.makeSocket(kind)
        if let own { try socket.bind(own) }
        if let other { try socket.connect(other) }
        self.socket = socket
    }

    func send(_ frames: [[UInt8]]) throws { try socket?.send(frames) }

    /// The next message; nil when none has come.
    func receive() throws -> [[UInt8]]? { try socket?.receive()?.frames }

    func close() {
        socket?.close()
        socket = nil
        loop.terminate()
    }
}
