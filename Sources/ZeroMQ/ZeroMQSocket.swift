import CZeroMQ
import Glibc

/// A socket of libzmq. It belongs to the thread of its `SocketLoop`.
///
/// libzmq's defaults drop messages silently and linger for ever. The options set here do neither.
public final class ZeroMQSocket {
    public enum Kind: Sendable {
        case router
        case dealer
        /// Answers requests, one after another.
        case reply
        /// Talks to one other socket of this process.
        case pair

        fileprivate var number: Int32 {
            switch self {
            case .router: ZMQ_ROUTER
            case .dealer: ZMQ_DEALER
            case .reply: ZMQ_REP
            case .pair: ZMQ_PAIR
            }
        }
    }

    /// The largest message taken in, in bytes; a peer that sends more is cut off.
    public static let maxMessageSize: Int64 = 32 * 1024
    /// The most parts of a message that are kept; what comes beyond them is dropped as it comes.
    static let partLimit = 8
    /// Milliseconds that a peer has for the handshake.
    static let handshakeInterval: Int32 = 5_000
    /// Seconds of silence until the kernel asks whether a peer's host is still there, between two questions, and their number
    /// until the connection ends. ZMTP's own heartbeats are off: a ping that is due on a connection whose reading was
    /// stopped, and whose peer has left, aborts libzmq 4.3 (`stream_engine_base.cpp`: `!_io_error`).
    static let keepaliveIdle: Int32 = 15
    static let keepaliveInterval: Int32 = 5
    static let keepaliveCount: Int32 = 3
    /// Messages that wait in a ROUTER for one peer that does not read.
    static let sendLimit: Int32 = 100
    /// Milliseconds before the first reconnect, and the longest such pause.
    static let reconnectInterval: Int32 = 100
    static let reconnectIntervalMax: Int32 = 10_000

    let raw: UnsafeMutableRawPointer
    private let kind: Kind

    init(context: UnsafeMutableRawPointer, kind: Kind) throws(ZeroMQError) {
        guard let socket = zmq_socket(context, kind.number) else {
            throw ZeroMQError("zmq_socket")
        }
        raw = socket
        self.kind = kind
        try set(ZMQ_LINGER, 0)
        try set(ZMQ_HANDSHAKE_IVL, Self.handshakeInterval)
        try set(ZMQ_HEARTBEAT_IVL, 0)
        try set(ZMQ_TCP_KEEPALIVE, 1)
        try set(ZMQ_TCP_KEEPALIVE_IDLE, Self.keepaliveIdle)
        try set(ZMQ_TCP_KEEPALIVE_INTVL, Self.keepaliveInterval)
        try set(ZMQ_TCP_KEEPALIVE_CNT, Self.keepaliveCount)
        try set(ZMQ_RECONNECT_IVL, Self.reconnectInterval)
        try set(ZMQ_RECONNECT_IVL_MAX, Self.reconnectIntervalMax)
        var limit = Self.maxMessageSize
        guard zmq_setsockopt(raw, ZMQ_MAXMSGSIZE, &limit, MemoryLayout<Int64>.size) == 0 else {
            throw ZeroMQError("ZMQ_MAXMSGSIZE")
        }
        switch kind {
        case .router:
            // A message to an unknown address is an error instead of silently lost.
            try set(ZMQ_ROUTER_MANDATORY, 1)
            try set(ZMQ_SNDHWM, Self.sendLimit)
            // `ConnectionGuard` bounds what waits to be received, in bytes, and cuts who sends more. libzmq's own limit counts
            // whole messages, and stops the reading: it is such a connection that a peer can make libzmq abort on.
            try set(ZMQ_RCVHWM, 0)
        case .dealer:
            // A message needs an established connection; none is queued for a connection that may never come.
            try set(ZMQ_IMMEDIATE, 1)
        case .reply, .pair: break
        }
    }

    func set(_ option: Int32, _ value: Int32) throws(ZeroMQError) {
        var value = value
        guard zmq_setsockopt(raw, option, &value, MemoryLayout<Int32>.size) == 0 else {
            throw ZeroMQError("zmq_setsockopt(\(option))")
        }
    }

    /// Milliseconds that queued messages have to be sent after `close`.
    public func linger(milliseconds: Int32) throws(ZeroMQError) { try set(ZMQ_LINGER, milliseconds) }

    public func bind(_ endpoint: String) throws(ZeroMQError) {
        guard zmq_bind(raw, endpoint) == 0 else { throw ZeroMQError("cannot listen on \(endpoint)") }
    }

    public func connect(_ endpoint: String) throws(ZeroMQError) {
        guard zmq_connect(raw, endpoint) == 0 else { throw ZeroMQError("cannot connect to \(endpoint)") }
    }

    /// The endpoint bound last, with the port that `tcp://…:*` got.
    public func lastEndpoint() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        var size = buffer.count
        guard zmq_getsockopt(raw, ZMQ_LAST_ENDPOINT, &buffer, &size) == 0 else { return "" }
        return String(decoding: buffer.prefix(max(size - 1, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Sends one message of one or more frames, or throws without blocking and with nothing sent.
    public func send(_ frames: [[UInt8]]) throws(ZeroMQError) {
        for (index, frame) in frames.enumerated() {
            let more = index < frames.count - 1 ? ZMQ_SNDMORE : 0
            guard zmq_send(raw, frame, frame.count, ZMQ_DONTWAIT | more) >= 0 else { throw ZeroMQError("zmq_send") }
        }
    }

    /// Takes the next message, or nil when none waits.
    public func receive() throws(ZeroMQError) -> ZeroMQMessage? {
        var frames: [[UInt8]] = []
        var (parts, bytes) = (0, 0)
        while true {
            var message = zmq_msg_t()
            zmq_msg_init(&message)
            defer { zmq_msg_close(&message) }
            guard zmq_msg_recv(&message, raw, ZMQ_DONTWAIT) >= 0 else {
                let error = ZeroMQError("zmq_msg_recv")
                if error.isFull {
                    if kind == .router { ConnectionGuard.drained() }
                    return nil
                }
                if error.code == EINTR { continue }
                throw error
            }
            let part = UnsafeRawBufferPointer(start: zmq_msg_data(&message), count: zmq_msg_size(&message))
            (parts, bytes) = (parts + 1, bytes + part.count)
            if parts <= Self.partLimit { frames.append(Array(part)) }
            guard zmq_msg_more(&message) == 1 else {
                guard kind == .router else { return ZeroMQMessage(frames: frames) }
                var connection = PeerConnection(descriptor: zmq_msg_get(&message, ZMQ_SRCFD))
                // The first part of a ROUTER's message is the peer's address, which libzmq adds.
                if let known = connection,
                    !ConnectionGuard.received(over: known, frames: parts - 1, bytes: bytes)
                {
                    connection = nil
                }
                // libzmq 4.3.4 drops it from the first frame of a ROUTER's message, which it makes itself.
                let user = zmq_msg_gets(&message, "User-Id").map { String(cString: $0) } ?? ""
                guard user.isEmpty else {
                    return ZeroMQMessage(frames: frames, userID: user, connection: connection)
                }
                let peer = zmq_msg_gets(&message, "Peer-Address").map { String(cString: $0) } ?? ""
                return ZeroMQMessage(frames: frames, process: Self.process(in: peer), connection: connection)
            }
        }
    }

    /// The process in libzmq's word of a peer at an ipc endpoint, `localhost:user:group:process`, which it has from the kernel
    /// when the connection begins. Nil for the address of any other peer.
    static func process(in address: String) -> Int32? {
        let parts = address.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 4, !parts[0].isEmpty, parts[1...].allSatisfy({ $0.allSatisfy(\.isNumber) }),
            let process = Int32(parts[3]), process > 0
        else { return nil }
        return process
    }

    /// Closes the socket; it must not be used after.
    public func close() { zmq_close(raw) }
}
