/// Reads along what a peer sends over one connection, before libzmq has it, and says when it is no worker's.
///
/// libzmq keeps the parts of a message until the last one has come, and its limit is one of a part alone; so a message that
/// never ends would fill the memory, and nobody outside of libzmq could see a part of it. A worker's message has one part.
/// Without keys a frame says of itself that another part follows. With keys that is encrypted; but then more frames have come
/// than the owner of the socket has received as messages, and what is ahead is bounded.
///
/// A value; it copies nothing. Times are in milliseconds from any fixed moment.
struct FrameMeter {
    /// Why a connection is not listened to any more.
    enum Fault: String, Error, CaseIterable {
        /// It does not begin as ZMTP 3 does.
        case foreign = "they are not coord's"
        case oversized = "a message was too long"
        case manyParts = "a message had several parts"
        /// Pings and the like: coord has heartbeats of its own.
        case command = "they sent commands of ZMTP"
        /// More than a worker has to say.
        case flooding = "they sent too many messages"
        /// More has come than can be taken in, or a message does not end.
        case ahead = "they sent faster than can be read"
    }

    /// The most bytes of a message, and of what encryption adds to it.
    static let frameLimit = UInt64(ZeroMQSocket.maxMessageSize) + 64
    /// The most bytes of a frame of the handshake. CURVE's longest has 257 and a few properties.
    static let handshakeLimit: UInt64 = 2_048
    /// The most frames, and bytes, that have come and that the owner of the socket has not received yet.
    static let framesAhead = 256
    static let bytesAhead = 4 * Int(ZeroMQSocket.maxMessageSize)
    /// Frames and bytes that may come before a worker has joined: it says hello four times a second.
    static let newcomerFrames = 64.0
    static let newcomerBytes = 131_072.0
    /// Frames that may come at once afterwards, and how many more each second. A worker with small batches sends some
    /// hundreds.
    static let frameBurst = 2_000.0
    static let framesPerSecond = 1_000.0
    /// The same in bytes. A worker sends some hundreds of bytes a second.
    static let byteBurst = 1_048_576.0
    static let bytesPerSecond = 262_144.0
    /// Bytes that a message counts for beside its own: the frame's head, and what encryption adds.
    static let overhead = 64

    private static let greetingLength = 64

    private enum Step: Equatable {
        /// The greeting, with its bytes so far.
        case greeting(Int)
        case flags
        /// The bytes of the length that are missing, and what is known of it.
        case length(missing: Int, UInt64)
        case body(UInt64)
    }

    private var step = Step.greeting(0)
    private var isEncrypted = false
    /// Frames of the handshake that are still to come.
    private var handshakeFrames = 1
    private var framesUnread = 0
    private var bytesUnread = 0
    private var isVouched = false
    private var frames = newcomerFrames
    private var bytes = newcomerBytes
    private var refilledAt: Int64

    init(now: Int64) { refilledAt = now }

    /// Whether the handshake's frames have come; what they were is libzmq's to judge.
    var isPastHandshake: Bool { handshakeFrames == 0 && step != .greeting(0) }

    /// The peer has sent these bytes.
    /// - Throws: why nothing more of it should be taken.
    mutating func came(_ data: UnsafeRawBufferPointer, now: Int64) throws(Fault) {
        refill(now: now)
        bytes -= Double(data.count)
        guard bytes >= 0 else { throw .flooding }
        var index = 0
        while index < data.count {
            switch step {
            case .greeting(let position):
                try greeted(data[index], at: position)
                index += 1
            case .flags:
                try began(data[index])
                index += 1
            case .length(let missing, let value):
                // The length's highest bytes come first; more than eight would be no length.
                let value = value << 8 | UInt64(data[index])
                index += 1
                if missing > 1 {
                    step = .length(missing: missing - 1, value)
                } else {
                    try measured(value)
                }
            case .body(let left):
                let taken = min(left, UInt64(data.count - index))
                index += Int(taken)
                if handshakeFrames == 0 { bytesUnread += Int(taken) }
                if taken == left { ended() } else { step = .body(left - taken) }
            }
        }
        guard framesUnread <= Self.framesAhead, bytesUnread <= Self.bytesAhead else { throw .ahead }
    }

    /// A worker has joined over the connection.
    mutating func vouched() {
        guard !isVouched else { return }
        (isVouched, frames, bytes) = (true, Self.frameBurst, Self.byteBurst)
    }

    /// Whether a message has come that the owner of the socket has not received yet.
    var isAhead: Bool { framesUnread > 0 }

    /// The owner of the socket has received a message of this peer.
    mutating func received(frames: Int, bytes: Int) {
        framesUnread = max(0, framesUnread - frames)
        bytesUnread = max(0, bytesUnread - bytes - frames * Self.overhead)
    }

    // MARK: - Private

    private mutating func refill(now: Int64) {
        let passed = Double(max(0, now - refilledAt)) / 1_000
        refilledAt = max(now, refilledAt)
        guard isVouched else { return }
        frames = min(Self.frameBurst, frames + passed * Self.framesPerSecond)
        bytes = min(Self.byteBurst, bytes + passed * Self.bytesPerSecond)
    }

    /// ZMTP's greeting: a signature of ten bytes, the version in two, the mechanism in twenty, and what does not matter here.
    private mutating func greeted(_ byte: UInt8, at position: Int) throws(Fault) {
        switch position {
        case 0 where byte != 0xFF: throw .foreign
        case 9 where byte & 1 == 0: throw .foreign
        // Older ones have no handshake, and their frames another form.
        case 10 where byte < 3: throw .foreign
        case 12:
            isEncrypted = byte == UInt8(ascii: "C")
            handshakeFrames = isEncrypted ? 2 : 1
        default: break
        }
        step = position + 1 < Self.greetingLength ? .greeting(position + 1) : .flags
    }

    private mutating func began(_ flags: UInt8) throws(Fault) {
        let (hasMore, isLong, isCommand) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0)
        guard flags & 0xF8 == 0 else { throw .foreign }
        if hasMore { throw .manyParts }
        if handshakeFrames == 0 {
            // An encrypted message may be marked as a command or not.
            if isCommand, !isEncrypted { throw .command }
            frames -= 1
            guard frames >= 0 else { throw .flooding }
            framesUnread += 1
        } else if !isCommand {
            throw .foreign
        }
        step = .length(missing: isLong ? 8 : 1, 0)
    }

    private mutating func measured(_ length: UInt64) throws(Fault) {
        guard length <= (handshakeFrames > 0 ? Self.handshakeLimit : Self.frameLimit) else { throw .oversized }
        if length == 0 { ended() } else { step = .body(length) }
    }

    private mutating func ended() {
        if handshakeFrames > 0 { handshakeFrames -= 1 }
        step = .flags
    }
}
