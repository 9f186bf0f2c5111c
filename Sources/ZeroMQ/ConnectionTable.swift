import CZeroMQ
import Glibc

/// The connections that a process has accepted, with what has come over each, and the bounds on their number.
///
/// Times are in milliseconds from any fixed moment.
struct ConnectionTable {
    /// The most connections that are metered. Each takes some 50 KiB in libzmq.
    static let limit = 512
    /// The most of them over which no worker has joined yet. One more, and the oldest of the address that has most of them
    /// is cut: a flood from one address costs others nothing.
    static let newcomerLimit = 64
    /// The most connections that are closed and have messages left to be received; they take as much.
    static let ghostLimit = 128
    /// The time until a worker must have said hello.
    static let newcomerPatience = Duration.seconds(10)
    /// Silence after which a connection is cut. A worker sends a heartbeat every second.
    static let silenceLimit = Duration.seconds(60)

    private struct Entry {
        /// The socket's number: the descriptor may be another one's by now.
        var number: UInt64
        /// The thread of libzmq that reads it.
        var reader: pthread_t
        var source: [UInt8]
        var meter: FrameMeter
        /// When it was accepted, or was disowned.
        var since: Int64
        var cameAt: Int64
        var isVouched = false
        /// Nothing more is taken of it.
        var isCut = false
    }

    /// Connections get lower descriptors only. The kernel always gives the lowest free descriptor.
    var bound = Int32.max
    /// The path, as bytes, of the one ipc endpoint without bounds.
    var exempt: [UInt8] = []
    /// Whether what comes is metered.
    var isMetered = false
    var refused = 0
    /// Why connections were cut, in words, with their number.
    var cuts: [String: Int] = [:]
    /// A descriptor on /dev/null, held in reserve. When no other is free, it makes room to accept and close a connection, which
    /// would otherwise wake its listener for ever. -1 if there is none.
    var spare: Int32 = -1
    private var entries: [Int32: Entry] = [:]
    /// Connections that are closed, and had messages that the owner of the socket had not received.
    private var ghosts = 0

    // MARK: - Events

    /// - Returns: whether the connection is taken; if not, it is to be closed.
    mutating func accepted(_ connection: Int32, by listener: Int32, now: Int64) -> Bool {
        // It has the number of one that is closed.
        if let closed = entries.removeValue(forKey: connection), closed.meter.isAhead { ghosts += 1 }
        if !exempt.isEmpty, Self.path(of: listener) == exempt { return true }
        guard connection < bound else {
            refused += 1
            return false
        }
        guard isMetered else { return true }
        guard makeRoom(), let number = PeerConnection.number(of: connection) else {
            count("there were too many")
            return false
        }
        entries[connection] = Entry(
            number: number, reader: pthread_self(), source: Self.source(of: connection), meter: FrameMeter(now: now),
            since: now, cameAt: now)
        return true
    }

    /// - Returns: whether the data may be taken; if not, the connection is to be treated as ended.
    mutating func came(_ data: UnsafeRawBufferPointer, over connection: Int32, now: Int64) -> Bool {
        guard var entry = entries[connection], pthread_equal(entry.reader, pthread_self()) != 0,
            entry.number == PeerConnection.number(of: connection)
        else { return true }
        guard !entry.isCut else { return false }
        entry.cameAt = now
        do {
            try entry.meter.came(data, now: now)
        } catch {
            entry.isCut = true
            count(error.rawValue)
        }
        entries[connection] = entry
        return !entry.isCut
    }

    /// A message was received over this connection, as libzmq says.
    /// - Returns: false where it was another with the same descriptor, since nothing had come over this one.
    mutating func received(over connection: PeerConnection, frames: Int, bytes: Int) -> Bool {
        guard let entry = entries[connection.descriptor], entry.number == connection.number else { return true }
        guard entry.meter.isAhead else { return false }
        entries[connection.descriptor]?.meter.received(frames: frames, bytes: bytes)
        return true
    }

    /// All messages that had come were received.
    mutating func drained() { ghosts = 0 }

    mutating func vouch(for connection: PeerConnection, _ isVouched: Bool) {
        guard let entry = entries[connection.descriptor], entry.number == connection.number,
            entry.isVouched != isVouched
        else { return }
        entries[connection.descriptor]?.isVouched = isVouched
        if isVouched { entries[connection.descriptor]?.meter.vouched() }
        entries[connection.descriptor]?.since = entry.cameAt
    }

    mutating func timePassed(now: Int64) {
        prune()
        for (descriptor, entry) in entries where !entry.isCut {
            if !entry.isVouched, .milliseconds(now - entry.since) > Self.newcomerPatience {
                cut(descriptor, "no worker said hello in time")
            } else if .milliseconds(now - entry.cameAt) > Self.silenceLimit {
                cut(descriptor, "they fell silent")
            }
        }
    }

    // MARK: - Private

    /// - Returns: whether one more connection may be accepted.
    private mutating func makeRoom() -> Bool {
        guard ghosts < Self.ghostLimit else { return false }
        var newcomers = entries.filter { !$0.value.isVouched && !$0.value.isCut }
        guard newcomers.count >= Self.newcomerLimit || entries.count >= Self.limit else { return true }
        prune()
        newcomers = newcomers.filter { entries[$0.key] != nil }
        if newcomers.count >= Self.newcomerLimit {
            let sources = Dictionary(grouping: newcomers) { $0.value.source }
            let heaviest = sources.values.max { $0.count < $1.count }
            if let oldest = heaviest?.min(by: { $0.value.since < $1.value.since })?.key {
                cut(oldest, "too many at a time said no hello")
            }
        }
        return entries.count < Self.limit
    }

    /// Forgets the connections that are closed.
    private mutating func prune() {
        for (descriptor, entry) in entries where PeerConnection.number(of: descriptor) != entry.number {
            entries[descriptor] = nil
            if entry.meter.isAhead { ghosts += 1 }
        }
    }

    private mutating func cut(_ descriptor: Int32, _ reason: String) {
        entries[descriptor]?.isCut = true
        shutdown(descriptor, Int32(SHUT_RDWR))
        count(reason)
    }

    private mutating func count(_ reason: String) { cuts[reason, default: 0] += 1 }

    /// The peer's address without its port; empty within this host.
    private static func source(of connection: Int32) -> [UInt8] {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isKnown = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(connection, $0, &length) == 0 }
        }
        guard isKnown else { return [] }
        let family = Int32(address.ss_family)
        return withUnsafeBytes(of: &address) { bytes in
            switch family {
            case AF_INET: Array(bytes[4..<8])
            // Whoever has one address of IPv6 has 2^64 of them; IPv4 mapped into it is another matter.
            case AF_INET6: Array(bytes[8..<(bytes[8..<18].allSatisfy { $0 == 0 } ? 24 : 16)])
            default: []
            }
        }
    }

    private static func path(of listener: Int32) -> [UInt8] {
        var address = sockaddr_un()
        var length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let isKnown = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) == 0 }
        }
        guard isKnown, address.sun_family == sa_family_t(AF_UNIX) else { return [] }
        return withUnsafeBytes(of: &address.sun_path) { Array($0.prefix { $0 != 0 }) }
    }
}
