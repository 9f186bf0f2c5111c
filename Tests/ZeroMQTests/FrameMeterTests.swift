import Testing

@testable import ZeroMQ

/// What a peer may send before libzmq has it.
@Suite struct FrameMeterTests {
    private static func greeting(_ mechanism: String) -> [UInt8] {
        [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 1] + Array(mechanism.utf8)
            + [UInt8](repeating: 0, count: 52 - mechanism.utf8.count)
    }

    private static func frame(_ size: Int, flags: UInt8 = 0) -> [UInt8] {
        let body = [UInt8](repeating: 0xFF, count: size)
        guard size > 255 else { return [flags, UInt8(size)] + body }
        return [flags | 2] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: size >> ($0 * 8)) } + body
    }

    /// A meter past the handshake.
    private static func met(_ mechanism: String = "NULL") throws -> FrameMeter {
        var meter = FrameMeter(now: 0)
        try take(greeting(mechanism), in: &meter)
        for size in mechanism == "CURVE" ? [200, 400] : [26] { try take(frame(size, flags: 4), in: &meter) }
        #expect(meter.isPastHandshake)
        meter.vouched()
        return meter
    }

    private static func take(_ bytes: [UInt8], in meter: inout FrameMeter, now: Int64 = 0, piece: Int = .max) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(piece))
            rest = rest.dropFirst(piece)
            try part.withUnsafeBytes { try meter.came($0, now: now) }
        }
    }

    @Test(arguments: ["NULL", "CURVE"], [1, 7, .max])
    func messagesOfOnePartAreTakenInAnyPieces(mechanism: String, piece: Int) throws {
        var meter = FrameMeter(now: 0)
        var bytes = Self.greeting(mechanism)
        for size in mechanism == "CURVE" ? [200, 400] : [26] { bytes += Self.frame(size, flags: 4) }
        for size in [0, 1, 255, 256, Int(ZeroMQSocket.maxMessageSize)] { bytes += Self.frame(size) }
        meter.vouched()
        try Self.take(bytes, in: &meter, piece: piece)
    }

    @Test func secondPartIsRefusedBeforeTheFirstIsOver() throws {
        var meter = try Self.met()
        #expect(throws: FrameMeter.Fault.manyParts) { try Self.take([1], in: &meter) }
    }

    @Test func longFrameIsRefusedByItsHead() throws {
        for size in [Int(FrameMeter.frameLimit) + 1, .max, -1] {
            var meter = try Self.met()
            let head = [2] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: size >> ($0 * 8)) }
            #expect(throws: FrameMeter.Fault.oversized) { try Self.take(head, in: &meter) }
        }
    }

    @Test func commandsOfZMTPAreRefusedAfterTheHandshake() throws {
        var meter = try Self.met()
        #expect(throws: FrameMeter.Fault.command) { try Self.take(Self.frame(7, flags: 4), in: &meter) }
        var encrypted = try Self.met("CURVE")
        try Self.take(Self.frame(40, flags: 4), in: &encrypted)
    }

    @Test(arguments: [[0x47], [0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]])
    func othersThanZMTP3AreRefusedAtTheirFirstBytes(bytes: [UInt8]) throws {
        var meter = FrameMeter(now: 0)
        #expect(throws: FrameMeter.Fault.foreign) { try Self.take(bytes, in: &meter) }
    }

    @Test func handshakeIsShort() throws {
        var meter = FrameMeter(now: 0)
        try Self.take(Self.greeting("CURVE"), in: &meter)
        #expect(throws: FrameMeter.Fault.oversized) { try Self.take(Self.frame(3_000, flags: 4), in: &meter) }
        var other = FrameMeter(now: 0)
        try Self.take(Self.greeting("CURVE"), in: &other)
        #expect(throws: FrameMeter.Fault.foreign) { try Self.take(Self.frame(30), in: &other) }
    }

    /// With keys nobody but libzmq sees that a message goes on. Its parts are frames that never arrive as a message.
    @Test func encryptedMessageThatNeverEndsIsBoundedInPartsAndInBytes() throws {
        for size in [35, 30_000] {
            var meter = try Self.met("CURVE")
            var taken = 0
            #expect(throws: FrameMeter.Fault.ahead) {
                for _ in 0..<10_000 {
                    try Self.take(Self.frame(size), in: &meter)
                    taken += size
                }
            }
            #expect(taken <= FrameMeter.bytesAhead + size)
            #expect(taken / size <= FrameMeter.framesAhead)
        }
    }

    @Test func whatIsReceivedMakesRoom() throws {
        var meter = try Self.met("CURVE")
        for number in 0..<100_000 {
            try Self.take(Self.frame(100), in: &meter, now: Int64(number * 2))
            meter.received(frames: 1, bytes: 67)
        }
    }

    @Test func moreMessagesThanAWorkerSendsAreRefusedAndLaterOnesAreTaken() throws {
        var meter = try Self.met()
        var count = 0
        #expect(throws: FrameMeter.Fault.flooding) {
            while count < 10_000 {
                try Self.take(Self.frame(10), in: &meter)
                meter.received(frames: 1, bytes: 10)
                count += 1
            }
        }
        #expect(count == Int(FrameMeter.frameBurst))
        var other = try Self.met()
        for number in 0..<10_000 {
            try Self.take(Self.frame(10), in: &other, now: Int64(number))
            other.received(frames: 1, bytes: 10)
        }
    }

    /// Who has not said hello so that a worker is taken has little to say.
    @Test(arguments: [10, 20_000]) func littleIsTakenOfANewcomer(size: Int) throws {
        var meter = FrameMeter(now: 0)
        try Self.take(Self.greeting("NULL") + Self.frame(26, flags: 4), in: &meter)
        var count = 0
        #expect(throws: FrameMeter.Fault.flooding) {
            while count < 10_000 {
                try Self.take(Self.frame(size), in: &meter, now: Int64(count * 100))
                meter.received(frames: 1, bytes: size)
                count += 1
            }
        }
        #expect(count <= Int(FrameMeter.newcomerFrames) && count * size <= Int(FrameMeter.newcomerBytes))
    }

    @Test func moreBytesThanAWorkerSendsAreRefused() throws {
        var meter = try Self.met()
        #expect(throws: FrameMeter.Fault.flooding) {
            for _ in 0..<100 {
                try Self.take(Self.frame(20_000), in: &meter)
                meter.received(frames: 1, bytes: 20_000)
            }
        }
    }

    @Test func processIsReadOfAnIPCPeersWordAndOfNoAddress() {
        #expect(ZeroMQSocket.process(in: "localhost:0:1000:4711") == 4711)
        for address in [
            "127.0.0.1", "::1", "::ffff:127.0.0.1", "fe80::1:2:3", "a:1:2:x", "localhost:0:0:0", ":1:2:3", "",
        ] {
            #expect(ZeroMQSocket.process(in: address) == nil)
        }
    }
}
