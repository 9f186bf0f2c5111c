import Sharding
import Testing

@testable import Wire

struct CodecTests {
    @Test func aLeaseSurvivesTheWire() throws {
        let lease = Lease(shard: ShardID(77), epoch: Epoch(1 << 40))
        var assign = Coord_Wire_V1_Assign()
        assign.lease = .init(lease)
        var message = FromCoordinator()
        message.body = .assign(assign)
        let decoded = try FromCoordinator.decode(try message.encoded())
        guard case .assign(let back)? = decoded.body else {
            Issue.record("another body came back")
            return
        }
        #expect(back.lease.value == lease)
    }

    @Test func aHeartbeatCarriesProgressAndMemory() throws {
        var held = Held()
        held.lease = .init(Lease(shard: ShardID(1), epoch: Epoch(2)))
        held.sequence = 3
        held.rowsDone = 4
        var heartbeat = Heartbeat()
        heartbeat.held = [held]
        heartbeat.rssBytes = 5
        heartbeat.peakRssBytes = 6
        var message = FromWorker()
        message.worker = "6f9b2a00-1122-4344-8566-778899aabbcc"
        message.body = .heartbeat(heartbeat)
        #expect(try FromWorker.decode(try message.encoded()) == message)
    }

    @Test func framesThatAreNotMessagesAreRefused() {
        #expect(throws: WireError.self) { try FromWorker.decode([0xFF, 0xFF, 0xFF]) }
        #expect(throws: WireError.self) { try FromWorker.decode([]) }
        #expect(throws: WireError.self) { try FromCoordinator.decode([]) }
        var nobody = FromWorker()
        nobody.body = .goodbye(.init())
        #expect(throws: WireError.self) { try FromWorker.decode(try nobody.encoded()) }
        var silent = FromWorker()
        silent.worker = "6f9b2a00-1122-4344-8566-778899aabbcc"
        #expect(throws: WireError.self) { try FromWorker.decode(try silent.encoded()) }
        for name in [String(repeating: "w", count: 36), "6f9b2a00-1122-4344-8566-778899aabbccd", "'; --"] {
            var stranger = nobody
            stranger.worker = name
            #expect(throws: WireError.self) { try FromWorker.decode(try stranger.encoded()) }
        }
    }

    @Test func everyPrefixAndEveryChangedByteOfAMessageIsReadOrRefusedWithoutATrap() throws {
        var hello = Hello()
        hello.protocol = protocolVersion
        hello.host = "host"
        hello.transforms = ["a", "b"]
        var message = FromWorker()
        message.worker = "6f9b2a00-1122-4344-8566-778899aabbcc"
        message.body = .hello(hello)
        let bytes = try message.encoded()
        for count in bytes.indices { _ = try? FromWorker.decode(Array(bytes[..<count])) }
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0x55
            _ = try? FromWorker.decode(changed)
        }
        #expect(try FromWorker.decode(bytes) == message)
    }
}
