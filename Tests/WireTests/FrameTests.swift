import Sharding
import Testing

@testable import Wire

/// What stands on the wire, byte for byte: a peer of the same protocol version may be another build of coord.
@Suite struct FrameTests {
    struct FromWorkerFrame: Sendable, CustomTestStringConvertible {
        let name: String
        let hex: String
        let make: @Sendable (inout FromWorker) -> Void
        var testDescription: String { name }
    }

    struct FromCoordinatorFrame: Sendable, CustomTestStringConvertible {
        let name: String
        let hex: String
        let make: @Sendable (inout FromCoordinator) -> Void
        var testDescription: String { name }
    }

    static func lease(_ shard: Int32, _ epoch: Int64) -> Coord_Wire_V1_Lease {
        .init(Lease(shard: ShardID(shard), epoch: Epoch(epoch)))
    }

    /// The field `worker`, which begins every frame of a worker.
    static let head = "0a2436663962326130302d313132322d343334342d383536362d373738383939616162626363"

    static let fromWorker = [
        FromWorkerFrame(
            name: "a HELLO that asks for the run",
            hex: "122608011203302e311a0364623220e724280132057570706572320367656f4a076e6f20726f6f6d"
        ) {
            $0.hello.protocol = 1
            $0.hello.build = "0.1"
            $0.hello.host = "db2"
            $0.hello.pid = 4711
            $0.hello.credit = 1
            $0.hello.transforms = ["upper", "geo"]
            $0.hello.problem = "no room"
        },
        FromWorkerFrame(name: "a HELLO that is ready", hex: "121508011203302e311a0364623220e724280138014007") {
            $0.hello.protocol = 1
            $0.hello.build = "0.1"
            $0.hello.host = "db2"
            $0.hello.pid = 4711
            $0.hello.credit = 1
            $0.hello.ready = true
            $0.hello.run = 7
        },
        FromWorkerFrame(
            name: "a heartbeat without a lease", hex: "1a14100118808080102080808020420469646c654804"
        ) {
            $0.heartbeat.credit = 1
            $0.heartbeat.rssBytes = 33_554_432
            $0.heartbeat.peakRssBytes = 67_108_864
            $0.heartbeat.step = "idle"
            $0.heartbeat.stepSeconds = 4
        },
        FromWorkerFrame(
            name: "a heartbeat with a lease",
            hex: "1a460a170a09080310808080808020100c18f2dfc5e0870a20f40310011880808010208080802028800832"
                + "0d726f7720372069732068656c6438014209636f6d707574696e67483d"
        ) {
            $0.heartbeat.held = [Held()]
            $0.heartbeat.held[0].lease = lease(3, 1 << 40)
            $0.heartbeat.held[0].sequence = 12
            $0.heartbeat.held[0].rowsDone = 345_678_901_234
            $0.heartbeat.held[0].batchRows = 500
            $0.heartbeat.credit = 1
            $0.heartbeat.rssBytes = 33_554_432
            $0.heartbeat.peakRssBytes = 67_108_864
            $0.heartbeat.programRssBytes = 1024
            $0.heartbeat.waitsFor = "row 7 is held"
            $0.heartbeat.excused = true
            $0.heartbeat.step = "computing"
            $0.heartbeat.stepSeconds = 61
        },
        FromWorkerFrame(
            name: "a heartbeat with a lease of shard 0 that was not advanced yet",
            hex: "1a150a040a02100110011801200242076f70656e696e67"
        ) {
            $0.heartbeat.held = [Held()]
            $0.heartbeat.held[0].lease = lease(0, 1)
            $0.heartbeat.credit = 1
            $0.heartbeat.rssBytes = 1
            $0.heartbeat.peakRssBytes = 2
            $0.heartbeat.step = "opening"
        },
        FromWorkerFrame(name: "a shard that is done", hex: "22060a04084d1002") { $0.shardDone.lease = lease(77, 2) },
        FromWorkerFrame(name: "a failure that may pass", hex: "2a100a04084d10021208646561646c6f636b") {
            $0.shardFailed.lease = lease(77, 2)
            $0.shardFailed.error = "deadlock"
        },
        FromWorkerFrame(name: "a failure of the shard", hex: "2a0b0a04084d10021201781801") {
            $0.shardFailed.lease = lease(77, 2)
            $0.shardFailed.error = "x"
            $0.shardFailed.permanent = true
        },
        FromWorkerFrame(name: "a failure of the worker", hex: "2a0b0a04084d10021201782001") {
            $0.shardFailed.lease = lease(77, 2)
            $0.shardFailed.error = "x"
            $0.shardFailed.unfit = true
        },
        FromWorkerFrame(name: "a failure of the run", hex: "2a0b0a04084d10021201782801") {
            $0.shardFailed.lease = lease(77, 2)
            $0.shardFailed.error = "x"
            $0.shardFailed.stopsRun = true
        },
        FromWorkerFrame(name: "a lease given back", hex: "32040a021009") { $0.leaseReleased.lease = lease(0, 9) },
        FromWorkerFrame(name: "a lost lease", hex: "3a080a06089f8d061009") { $0.leaseLost.lease = lease(99_999, 9) },
        FromWorkerFrame(name: "a goodbye", hex: "4200") { $0.goodbye = .init() },
        FromWorkerFrame(name: "a goodbye with a reason", hex: "42120a10616e6f74686572206461746162617365") {
            $0.goodbye.reason = "another database"
        },
    ]

    static let fromCoordinator = [
        FromCoordinatorFrame(
            name: "a welcome", hex: "0a1a080110071a0437343231220473686f7028e8073205636f6f7264"
        ) {
            $0.welcome.protocol = 1
            $0.welcome.run = 7
            $0.welcome.systemIdentifier = "7421"
            $0.welcome.database = "shop"
            $0.welcome.heartbeatMs = 1000
            $0.welcome.ledgerSchema = "coord"
        },
        FromCoordinatorFrame(
            name: "a refusal", hex: "121f0a14697420737065616b732070726f746f636f6c20321207696e7374616c6c"
        ) {
            $0.refused.reason = "it speaks protocol 2"
            $0.refused.mend = "install"
        },
        FromCoordinatorFrame(name: "an assignment", hex: "1a060a0408031005") { $0.assign.lease = lease(3, 5) },
        FromCoordinatorFrame(name: "an assignment of small batches", hex: "1a090a040803100510fa01") {
            $0.assign.lease = lease(3, 5)
            $0.assign.batchRows = 250
        },
        FromCoordinatorFrame(name: "a revocation", hex: "22040a021005") { $0.revoke.lease = lease(0, 5) },
        FromCoordinatorFrame(name: "a drain", hex: "2a00") { $0.drain = .init() },
        FromCoordinatorFrame(name: "a rejoin", hex: "3200") { $0.rejoin = .init() },
        FromCoordinatorFrame(name: "an alive", hex: "3a00") { $0.alive = .init() },
    ]

    @Test(arguments: fromWorker) func aWorkersMessageIsTheseBytes(frame: FromWorkerFrame) throws {
        var message = FromWorker()
        message.worker = "6f9b2a00-1122-4344-8566-778899aabbcc"
        frame.make(&message)
        #expect(hex(try message.encoded()) == Self.head + frame.hex)
        #expect(try FromWorker.decode(bytes(Self.head + frame.hex)) == message)
    }

    @Test(arguments: fromCoordinator) func aCoordinatorsMessageIsTheseBytes(frame: FromCoordinatorFrame) throws {
        var message = FromCoordinator()
        frame.make(&message)
        #expect(hex(try message.encoded()) == frame.hex)
        #expect(try FromCoordinator.decode(bytes(frame.hex)) == message)
    }
}

func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

func bytes(_ hex: String) -> [UInt8] {
    var bytes: [UInt8] = []
    var digits = hex[...]
    while let byte = UInt8(digits.prefix(2), radix: 16) {
        bytes.append(byte)
        digits = digits.dropFirst(2)
    }
    return bytes
}
