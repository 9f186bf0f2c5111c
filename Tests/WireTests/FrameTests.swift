import Sharding
import Testing
import Wire

/// The bytes of each message: a peer with the same protocol version may be another build of coord.
@Suite struct FrameTests {
    struct WorkerFrame: Sendable, CustomTestStringConvertible {
        let name: String
        let hex: String
        let message: WorkerMessage
        var testDescription: String { name }
    }

    struct CoordinatorFrame: Sendable, CustomTestStringConvertible {
        let name: String
        let hex: String
        let message: CoordinatorMessage
        var testDescription: String { name }
    }

    static let worker = WorkerID("6f9b2a00-1122-4344-8566-778899aabbcc")
    /// The field `worker`, which begins each frame of a worker.
    static let head = "0a2436663962326130302d313132322d343334342d383536362d373738383939616162626363"

    static let workerFrames = [
        WorkerFrame(
            name: "a HELLO that asks for the run",
            hex: "122608021203302e311a0364623220e724280132057570706572320367656f4a076e6f20726f6f6d",
            message: .hello(
                Hello(
                    build: "0.1", host: "db2", pid: 4711, transforms: ["upper", "geo"], problem: "no room"))),
        WorkerFrame(
            name: "a HELLO that is ready", hex: "121508021203302e311a0364623220e724280138014007",
            message: .hello(Hello(build: "0.1", host: "db2", pid: 4711, isReady: true, run: RunID(7)))),
        WorkerFrame(
            name: "a heartbeat without a lease", hex: "1a14100118808080102080808020420469646c654804",
            message: .heartbeat(
                Heartbeat(rssBytes: 33_554_432, peakRSSBytes: 67_108_864, step: "idle", stepSeconds: 4))),
        WorkerFrame(
            name: "a heartbeat with a lease",
            hex: "1a460a170a09080310808080808020100c18f2dfc5e0870a20f40310011880808010208080802028800832"
                + "0d726f7720372069732068656c6438014209636f6d707574696e67483d",
            message: .heartbeat(
                Heartbeat(
                    held: [
                        HeldLease(lease: lease(3, 1 << 40), sequence: 12, rowsDone: 345_678_901_234, batchRows: 500)
                    ], rssBytes: 33_554_432, peakRSSBytes: 67_108_864, programRSSBytes: 1024,
                    wait: WorkerWait(words: "row 7 is held"), isExcused: true, step: "computing", stepSeconds: 61))),
        WorkerFrame(
            name: "a heartbeat with a lease of shard 0 that was not advanced yet",
            hex: "1a150a040a02100110011801200242076f70656e696e67",
            message: .heartbeat(
                Heartbeat(
                    held: [HeldLease(lease: lease(0, 1), sequence: 0, rowsDone: 0)], rssBytes: 1, peakRSSBytes: 2,
                    step: "opening"))),
        WorkerFrame(
            name: "a heartbeat that waits for a row",
            hex: "1a330a0a0a0408031001100118021001320f776169747320666f7220706964203738014207"
                + "77616974696e67520708041a01353007",
            message: .heartbeat(
                Heartbeat(
                    held: [HeldLease(lease: lease(3, 1), sequence: 1, rowsDone: 2)],
                    wait: WorkerWait(
                        words: "waits for pid 7", cause: FailureCause(kind: .held, key: Key("5"), holder: 7)),
                    isExcused: true, step: "waiting"))),
        WorkerFrame(name: "a shard that is done", hex: "22060a04084d1002", message: .shardDone(lease(77, 2))),
        WorkerFrame(
            name: "a failure that may pass", hex: "2a100a04084d10021208646561646c6f636b",
            message: .shardFailed(ShardFailure(lease: lease(77, 2), error: "deadlock", scope: .attempt))),
        WorkerFrame(
            name: "a failure of the shard", hex: "2a0b0a04084d10021201781801",
            message: .shardFailed(ShardFailure(lease: lease(77, 2), error: "x", scope: .shard))),
        WorkerFrame(
            name: "a failure of the worker", hex: "2a0b0a04084d10021201782001",
            message: .shardFailed(ShardFailure(lease: lease(77, 2), error: "x", scope: .worker))),
        WorkerFrame(
            name: "a failure of the run", hex: "2a0b0a04084d10021201782801",
            message: .shardFailed(ShardFailure(lease: lease(77, 2), error: "x", scope: .run))),
        WorkerFrame(
            name: "a failure with its cause",
            hex: "2a340a04084d100212086e6f7420616e206918013220080912053232303033"
                + "1a01371a02617422096e65775f7072696365280230e724",
            message: .shardFailed(
                ShardFailure(
                    lease: lease(77, 2), error: "not an i", scope: .shard,
                    cause: FailureCause(
                        kind: .permanent, sqlState: "22003", key: Key(["7", "at"]), column: "new_price",
                        effect: .rolledBack, holder: 4711)))),
        WorkerFrame(name: "a lease given back", hex: "32040a021009", message: .leaseReleased(lease(0, 9))),
        WorkerFrame(name: "a lost lease", hex: "3a080a06089f8d061009", message: .leaseLost(lease(99_999, 9))),
        WorkerFrame(name: "a goodbye", hex: "4200", message: .goodbye(reason: "")),
        WorkerFrame(
            name: "a goodbye with a reason", hex: "42120a10616e6f74686572206461746162617365",
            message: .goodbye(reason: "another database")),
        WorkerFrame(name: "a wish for a turn", hex: "4a020807", message: .turnWanted(rows: 7)),
        WorkerFrame(name: "the end of a turn", hex: "5200", message: .turnEnded(rows: 0)),
    ]

    static let coordinatorFrames = [
        CoordinatorFrame(
            name: "a welcome", hex: "0a1a080210071a0437343231220473686f7028e8073205636f6f7264",
            message: .welcome(
                Welcome(
                    run: RunID(7), systemIdentifier: "7421", database: "shop", heartbeatInterval: .seconds(1),
                    ledgerSchema: "coord"))),
        CoordinatorFrame(
            name: "a refusal", hex: "121f0a14697420737065616b732070726f746f636f6c20321207696e7374616c6c",
            message: .refused(Refusal(reason: "it speaks protocol 2", mend: "install"))),
        CoordinatorFrame(
            name: "an assignment", hex: "1a060a0408031005", message: .assign(lease(3, 5), batchRows: 0)),
        CoordinatorFrame(
            name: "an assignment of small batches", hex: "1a090a040803100510fa01",
            message: .assign(lease(3, 5), batchRows: 250)),
        CoordinatorFrame(name: "a revocation", hex: "22040a021005", message: .revoke(lease(0, 5))),
        CoordinatorFrame(name: "a drain", hex: "2a00", message: .drain),
        CoordinatorFrame(name: "a rejoin", hex: "3200", message: .rejoin),
        CoordinatorFrame(name: "an alive", hex: "3a00", message: .alive(.none)),
        CoordinatorFrame(name: "an alive of a limited run", hex: "3a020802", message: .alive(.forPace)),
        CoordinatorFrame(name: "a turn", hex: "42020814", message: .turn(slice: .milliseconds(20))),
        CoordinatorFrame(
            name: "a turn for some rows", hex: "42050814108502",
            message: .turn(slice: .milliseconds(20), rows: 261)),
        CoordinatorFrame(
            name: "a welcome to a run with turns", hex: "0a1c080210071a0437343231220473686f7028e8073205636f6f72643801",
            message: .welcome(
                Welcome(
                    run: RunID(7), systemIdentifier: "7421", database: "shop", heartbeatInterval: .seconds(1),
                    ledgerSchema: "coord", turnTaking: .forSpeed))),
    ]

    @Test(arguments: workerFrames) func aWorkersMessageIsTheseBytes(frame: WorkerFrame) throws {
        #expect(hex(try frame.message.encoded(by: Self.worker)) == Self.head + frame.hex)
        let (worker, message) = try WorkerMessage.decode(bytes(Self.head + frame.hex))
        #expect(worker == Self.worker)
        #expect(message == frame.message)
    }

    @Test(arguments: coordinatorFrames) func aCoordinatorsMessageIsTheseBytes(frame: CoordinatorFrame) throws {
        #expect(hex(try frame.message.encoded()) == frame.hex)
        #expect(try CoordinatorMessage.decode(bytes(frame.hex)) == frame.message)
    }
}

func lease(_ shard: Int32, _ epoch: Int64) -> Lease { Lease(shard: ShardID(shard), epoch: Epoch(epoch)) }

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
