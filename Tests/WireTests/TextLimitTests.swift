import Sharding
import Testing

@testable import Wire

/// A peer may write any length into a message.
@Suite struct TextLimitTests {
    /// A field of text, or an enclosed message, of protobuf.
    private static func field(_ number: UInt8, _ body: [UInt8]) -> [UInt8] {
        var length = body.count
        var varint: [UInt8] = []
        repeat {
            varint.append(UInt8(length & 0x7F) | (length > 0x7F ? 0x80 : 0))
            length >>= 7
        } while length > 0
        return [number << 3 | 2] + varint + body
    }

    private static func text(_ length: Int) -> [UInt8] { [UInt8](repeating: UInt8(ascii: "x"), count: length) }

    private static func frame(_ body: UInt8, _ fields: [UInt8]) -> [UInt8] {
        field(1, Array(FrameTests.worker.rawValue.utf8)) + field(body, fields)
    }

    private static let lease: [UInt8] = field(1, [0x08, 1, 0x10, 1])
    private static let version: [UInt8] = [0x08, UInt8(protocolVersion)]
    private static let longTexts: [[UInt8]] = [
        frame(2, version + field(2, text(257))),
        frame(2, version + field(3, text(257))),
        frame(2, version + field(9, text(4_097))),
        frame(2, version + field(6, text(257))),
        frame(2, version + (0..<49).flatMap { _ in field(6, text(256)) }),
        frame(3, (0..<9).flatMap { _ in field(1, lease) }),
        frame(3, field(8, text(257))),
        frame(3, field(6, text(4_097))),
        frame(5, lease + field(2, text(8_193))),
        frame(8, field(1, text(4_097))),
    ]

    @Test(arguments: longTexts) func readerRefusesWhatIsTooLong(frame: [UInt8]) {
        let error = #expect(throws: WireError.self) { try WorkerMessage.decode(frame) }
        #expect(error?.description.contains("of at most") == true, "\(error?.description ?? "")")
    }

    /// Its sender is told both versions, so the message must be read.
    @Test func helloOfAnotherVersionIsReadWhateverIsInIt() throws {
        let frame = Self.frame(2, [0x08, 99] + Self.field(3, Self.text(9_000)) + Self.field(6, Self.text(9_000)))
        guard case .hello(let hello) = try WorkerMessage.decode(frame).message else {
            Issue.record("no HELLO")
            return
        }
        #expect(hello.version == 99)
        #expect(hello.host.utf8.count <= 256 && hello.transforms.isEmpty)
    }

    @Test func senderCutsWhatIsTooLongAndTheMessageArrives() throws {
        let long = String(repeating: "€", count: 20_000)
        let wait = WorkerWait(words: long, cause: FailureCause(key: Key([String(repeating: "k", count: 4_096)])))
        let messages: [WorkerMessage] = [
            .hello(
                Hello(
                    build: long, host: long, pid: 1,
                    transforms: (0..<48).map { _ in String(repeating: "t", count: 256) }, problem: long)),
            .heartbeat(Heartbeat(wait: wait, step: long)),
            .shardFailed(ShardFailure(lease: Lease(shard: ShardID(1), epoch: Epoch(1)), error: long, scope: .attempt)),
            .goodbye(reason: long),
        ]
        for message in messages {
            let frame = try message.encoded(by: FrameTests.worker)
            // The largest message that the sockets take.
            #expect(frame.count <= 32 * 1024)
            #expect("\(try WorkerMessage.decode(frame).message)".contains("€…"))
        }
    }

    @Test func textThatFitsIsLeftAsItIs() {
        #expect(TextLimit.cut("abc", to: 3) == "abc")
        #expect(TextLimit.cut("", to: 0) == "")
        #expect(TextLimit.cut("abcdef", to: 5) == "ab…")
        #expect(TextLimit.cut("€€€", to: 8) == "€…")
    }
}
