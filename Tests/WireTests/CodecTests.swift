import Sharding
import Testing
import Wire

@Suite struct CodecTests {
    /// A worker's frame, made of the bytes behind the field `worker`.
    private func fromWorker(_ hex: String) -> [UInt8] { bytes(FrameTests.head + hex) }

    @Test func framesThatAreNotMessagesAreRefused() throws {
        #expect(throws: WireError.self) { try WorkerMessage.decode([0xFF, 0xFF, 0xFF]) }
        #expect(throws: WireError.self) { try WorkerMessage.decode([]) }
        #expect(throws: WireError.self) { try CoordinatorMessage.decode([]) }
        // A goodbye without a worker, and a frame without a message.
        #expect(throws: WireError.self) { try WorkerMessage.decode(bytes("4200")) }
        #expect(throws: WireError.self) { try WorkerMessage.decode(fromWorker("")) }
        for name in [String(repeating: "w", count: 36), "6f9b2a00-1122-4344-8566-778899aabbccd", "'; --"] {
            let frame = try WorkerMessage.goodbye(reason: "").encoded(by: WorkerID(name))
            #expect(throws: WireError.self) { try WorkerMessage.decode(frame) }
        }
    }

    /// A frame with a missing or impossible value, and words of the error.
    static let malformed = [
        ("2200", "a ShardDone without a lease"),
        ("22020a00", "a ShardDone with shard 0 epoch 0, which is no lease"),
        ("2a021801", "a ShardFailed without a lease"),
        ("2a0a0a04084d100218012001", "a ShardFailed that blames more than one of shard, worker and run"),
        (
            "2a0c0a04084d1002180132020803",
            "a ShardFailed whose kind retryable contradicts what it blames"
        ),
        ("2a0e0a04084d10023206120432323030", "a ShardFailed with a SQLSTATE of 4 bytes, which is none"),
        ("2a0f0a04084d1002320712053232613033", "a ShardFailed with a SQLSTATE of 5 bytes, which is none"),
        (
            "2a170a04084d1002320f1a01611a01611a01611a01611a0161",
            "a ShardFailed with a key of 5 columns, which is beyond the limits"
        ),
        ("1a083201775203120178", "a Heartbeat with a SQLSTATE of 1 bytes, which is none"),
        ("3200", "a LeaseReleased without a lease"),
        ("3a00", "a LeaseLost without a lease"),
        ("220f0a0d08ffffffffffffffffff011001", "a ShardDone with shard -1 epoch 1, which is no lease"),
        ("1a020a00", "a Heartbeat without a lease"),
        (
            "1a110a0f0a02100110ffffffffffffffffff01",
            "a Heartbeat with -1 batches and 0 rows of shard 0 epoch 1"
        ),
        ("120408023801", "a Hello that is ready for no run"),
    ]

    @Test(arguments: malformed) func aWorkersMessageThatMakesNoSenseIsRefusedWithTheReason(hex: String, reason: String)
    {
        let error = #expect(throws: WireError.self) { try WorkerMessage.decode(fromWorker(hex)) }
        #expect(error?.description == reason)
    }

    @Test(
        arguments: [
            ("1a021005", "an Assign without a lease"),
            ("2200", "a Revoke without a lease"),
            ("0a1108011a0437343231220473686f7028e807", "a Welcome to no run"),
            ("0a05100728e807", "a Welcome to run 7 of no database"),
            ("0a0e10071a0437343231220473686f70", "a Welcome with a heartbeat every 0 ms"),
        ])
    func aCoordinatorsMessageThatMakesNoSenseIsRefusedWithTheReason(hex: String, reason: String) {
        let error = #expect(throws: WireError.self) { try CoordinatorMessage.decode(bytes(hex)) }
        #expect(error?.description == reason)
    }

    /// Such a hello must be answered, so that both sides can say why they do not work together.
    @Test func aHelloOfAnotherVersionIsReadWhateverElseItSays() throws {
        let (_, message) = try WorkerMessage.decode(fromWorker("120408033801"))
        guard case .hello(let hello) = message else {
            Issue.record("\(message)")
            return
        }
        #expect(hello.version == 3)
        #expect(hello.run == nil)
    }

    /// Before other names were possible, the schema was always this one.
    @Test func aWelcomeWithoutASchemaMeansTheStandardOne() throws {
        let frame = bytes("0a1110071a0437343231220473686f7028e807")
        guard case .welcome(let welcome) = try CoordinatorMessage.decode(frame) else {
            Issue.record("no welcome")
            return
        }
        #expect(welcome.ledgerSchema == LedgerSchema.standard.name)
    }

    @Test(arguments: FrameTests.workerFrames)
    func everyPrefixAndEveryChangedByteOfAMessageIsReadOrRefusedWithoutATrap(frame: FrameTests.WorkerFrame) throws {
        let bytes = try frame.message.encoded(by: FrameTests.worker)
        for count in bytes.indices { _ = try? WorkerMessage.decode(Array(bytes[..<count])) }
        for index in bytes.indices {
            for mask: UInt8 in [0x55, 0x01, 0x80, 0xFF] {
                var changed = bytes
                changed[index] ^= mask
                // A message that can be read can also be encoded again.
                if let (worker, message) = try? WorkerMessage.decode(changed) {
                    #expect(try WorkerMessage.decode(try message.encoded(by: worker)).message == message)
                }
            }
        }
    }

    @Test(arguments: FrameTests.coordinatorFrames)
    func everyPrefixAndEveryChangedByteOfAnAnswerIsReadOrRefusedWithoutATrap(frame: FrameTests.CoordinatorFrame) throws
    {
        let bytes = try frame.message.encoded()
        for count in bytes.indices { _ = try? CoordinatorMessage.decode(Array(bytes[..<count])) }
        for index in bytes.indices {
            for mask: UInt8 in [0x55, 0x01, 0x80, 0xFF] {
                var changed = bytes
                changed[index] ^= mask
                if let message = try? CoordinatorMessage.decode(changed) {
                    #expect(try CoordinatorMessage.decode(try message.encoded()) == message)
                }
            }
        }
    }

    /// A newer build may send causes that this build does not know. The report still arrives.
    @Test(arguments: ["2a0c0a04084d1002320408632809", "2a130a04084d1002320b30ffffffffffffffffff01"])
    func aCauseThatIsNotKnownSaysNothing(hex: String) throws {
        let expected = ShardFailure(lease: lease(77, 2), error: "", scope: .attempt)
        #expect(try WorkerMessage.decode(fromWorker(hex)).message == .shardFailed(expected))
    }

    /// A report that the receiver refuses would never arrive. So a value that is too long is left out of the cause. The
    /// error's text still has it.
    @Test(
        arguments: [
            (FailureCause(key: Key(String(repeating: "k", count: 4097))), FailureCause()),
            (
                FailureCause(key: Key(String(repeating: "k", count: 4096))),
                FailureCause(key: Key(String(repeating: "k", count: 4096)))
            ),
            (FailureCause(key: Key([String](repeating: "", count: 5))), FailureCause()),
            (FailureCause(key: Key(["", ""])), FailureCause(key: Key(["", ""]))),
            (FailureCause(sqlState: "none", column: "n"), FailureCause(column: "n")),
            (
                FailureCause(sqlState: "40P01", column: String(repeating: "c", count: 257)),
                FailureCause(sqlState: "40P01")
            ),
            (FailureCause(effect: .unknown, holder: -7), FailureCause(effect: .unknown)),
        ] as [(FailureCause, FailureCause)])
    func aCauseKeepsToTheBoundsOfTheWire(cause: FailureCause, arrives: FailureCause) throws {
        let failure = ShardFailure(lease: lease(1, 1), error: "e", scope: .attempt, cause: cause)
        guard
            case .shardFailed(let back) = try WorkerMessage.decode(
                try WorkerMessage.shardFailed(failure).encoded(by: FrameTests.worker)
            ).message
        else {
            Issue.record("no failure")
            return
        }
        #expect(back.cause == arrives)
        #expect(back.error == "e")
    }

    @Test(arguments: FailureKind.allCases) func everyKindAndEffectArrives(kind: FailureKind) throws {
        for effect in FailureCause.Effect.allCases {
            let cause = FailureCause(kind: kind, effect: effect)
            let message = WorkerMessage.shardFailed(
                ShardFailure(lease: lease(1, 1), error: "e", scope: kind.scope, cause: cause))
            #expect(try WorkerMessage.decode(try message.encoded(by: FrameTests.worker)).message == message)
        }
    }

    @Test func numbersThatTheWireCannotHoldAreCutAndTrapNowhere() throws {
        let held = HeldLease(lease: lease(1, 1), sequence: .max, rowsDone: .max, batchRows: .max)
        let heartbeat = Heartbeat(held: [held], credit: -1, rssBytes: .min, stepSeconds: -1)
        guard
            case .heartbeat(let back) = try WorkerMessage.decode(
                try WorkerMessage.heartbeat(heartbeat).encoded(by: FrameTests.worker)
            ).message
        else {
            Issue.record("no heartbeat")
            return
        }
        #expect(back.held.first?.batchRows == Int(UInt32.max))
        #expect(back.credit == 0)
        #expect(back.stepSeconds == 0)
        let frame = try CoordinatorMessage.assign(lease(1, 1), batchRows: -1).encoded()
        #expect(try CoordinatorMessage.decode(frame) == .assign(lease(1, 1), batchRows: 0))
    }
}
