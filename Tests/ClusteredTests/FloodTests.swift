import Foundation
import Glibc
import Host
import Sharding
import Synchronization
import Testing
import Wire
import ZeroMQ

/// Peers that send whatever they can, while a run is at work.
@Suite(.serialized) struct FloodTests {
    /// One way to harm a coordinator, as one of its peers does it over and over.
    enum Flood: String, CaseIterable, Sendable {
        case messageThatNeverEnds
        case emptyPartsThatNeverEnd
        case heartbeats
        case hellosOfEverNewWorkers
        case hellosOfNewWorkersByNewConnections
        case longNames
        case floodAndLeave
        case pings
        case garbage

        /// One round; it may send many messages.
        func round(_ peer: HostilePeer) {
            guard peer.join() else { return }
            switch self {
            case .messageThatNeverEnds:
                peer.send(HostilePeer.frame([UInt8](repeating: 7, count: 30_000), more: true))
            case .emptyPartsThatNeverEnd: peer.send([UInt8]((0..<30_000).map { $0 % 2 == 0 ? 1 : 0 }))
            case .heartbeats:
                let beat = HostilePeer.message(.heartbeat(Heartbeat(step: "x")), by: HostilePeer.someWorker())
                peer.send(Array(repeatElement(beat, count: 500).joined()))
            case .hellosOfEverNewWorkers:
                peer.send((0..<200).flatMap { _ in Self.hello(host: "h") })
            case .hellosOfNewWorkersByNewConnections:
                peer.send(Self.hello(host: "h"))
                peer.leave()
            case .longNames: peer.send(Self.hello(host: String(repeating: "h", count: 20_000)))
            case .floodAndLeave:
                let beat = HostilePeer.message(.heartbeat(Heartbeat()), by: HostilePeer.someWorker())
                peer.send(Array(repeatElement(beat, count: 2_500).joined()))
                peer.leave()
            case .pings:
                let ping: [UInt8] = [4, 7, 4] + Array("PING".utf8) + [0, 1]
                peer.send(Array(repeatElement(ping, count: 1_000).joined()))
            case .garbage: peer.send((0..<8_192).map { _ in UInt8.random(in: 0...255) })
            }
        }

        private static func hello(host: String) -> [UInt8] {
            HostilePeer.message(
                .hello(Hello(host: host, pid: 1, isReady: true, run: RunID(1))), by: HostilePeer.someWorker())
        }
    }

    /// Bytes above the usual that a flood may cost the coordinator.
    private static let memory: Int64 = 64 << 20

    @Test(arguments: Flood.allCases) func floodHarmsNobodyElse(flood: Flood) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 400)
            let gate = try await items.closeGate()
            let coordinator = try scenario.coord(
                "start", try items.setJob(), "--workers", "1", "--listen", "tcp://127.0.0.1:*")
            let endpoint = try await coordinator.endpoint()
            let port = try #require(endpoint.split(separator: ":").last.flatMap { UInt16($0) })
            try await gate.reached()
            let usual = ProcessMemory.read(coordinator.pid).rss
            let honest = HonestPeer()
            try await honest.join(endpoint)
            let attack = Attack(flood, port: port, peers: flood == .floodAndLeave ? 40 : 8)
            let answers = try await honest.beat(for: .seconds(3))
            attack.end()
            let peak = ProcessMemory.read(coordinator.pid).peak
            print(
                "flood \(flood): \((peak - usual) >> 20) MiB more, slowest answer \(answers.slowest),",
                "\(answers.count) answers, \(attack.rounds) rounds, \(attack.cuts) cuts")
            #expect(peak - usual <= Self.memory)
            #expect(answers.slowest <= .seconds(1))
            #expect(answers.count >= 5)
            await honest.close()
            await gate.open()
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors.suffix(2_000))")
            #expect(ended.errors.utf8.count < 20_000)
            #expect(try await items.violations(run: try await scenario.newestRun()) == [])
        }
    }
}

/// Some peers, each on a thread, which flood until they are ended.
private final class Attack: Sendable {
    private let isOver = Atomic<Bool>(false)
    private let tally = Mutex((rounds: 0, cuts: 0))
    private let threads: DispatchGroup

    init(_ flood: FloodTests.Flood, port: UInt16, peers: Int) {
        threads = DispatchGroup()
        for _ in 0..<peers {
            threads.enter()
            Thread.detachNewThread { [self] in
                let peer = HostilePeer(port: port)
                var rounds = 0
                while !isOver.load(ordering: .relaxed) {
                    flood.round(peer)
                    rounds += 1
                }
                tally.withLock { $0 = ($0.rounds + rounds, $0.cuts + peer.cuts) }
                peer.leave()
                threads.leave()
            }
        }
    }

    func end() {
        isOver.store(true, ordering: .relaxed)
        threads.wait()
    }

    var rounds: Int { tally.withLock { $0.rounds } }
    var cuts: Int { tally.withLock { $0.cuts } }
}

/// A worker that has asked to join, and says that it lives.
private struct HonestPeer {
    private let peer = KeyedPeer()
    private let worker = HostilePeer.someWorker()

    func join(_ endpoint: String) async throws {
        try await peer.connect(to: endpoint)
        let hello = try WorkerMessage.hello(Hello(host: "honest", pid: 1)).encoded(by: worker)
        _ = try await first("it is welcomed") {
            // A send fails until the connection exists.
            try? await peer.send(hello)
            return try await peer.receive()
        }
    }

    /// Sends a heartbeat ten times a second.
    /// - Returns: how long the slowest answer took, and their number.
    func beat(for time: Duration) async throws -> (slowest: Duration, count: Int) {
        while try await peer.receive() != nil {}
        let beat = try WorkerMessage.heartbeat(Heartbeat()).encoded(by: worker)
        let end = ContinuousClock.now + time
        var slowest = Duration.zero
        var count = 0
        while ContinuousClock.now < end {
            let sent = ContinuousClock.now
            try await peer.send(beat)
            _ = try await first("a heartbeat is answered", within: .seconds(5)) { try await peer.receive() }
            slowest = max(slowest, ContinuousClock.now - sent)
            count += 1
            try await Task.sleep(for: .milliseconds(100))
        }
        return (slowest, count)
    }

    func close() async { await peer.close() }
}
