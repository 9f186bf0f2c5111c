import Glibc
import Sharding
import Synchronization
import Wire

/// A peer that speaks ZMTP 3 by itself, without keys and without libzmq, and so sends what libzmq never would.
///
/// It belongs to one thread, and holds one connection at a time. A send waits at most a second.
final class HostilePeer {
    private let port: UInt16
    private var descriptor: Int32 = -1
    /// How many connections the other end has cut.
    private(set) var cuts = 0

    init(port: UInt16) { self.port = port }

    deinit { leave() }

    private static let greeting: [UInt8] =
        [0xFF] + [UInt8](repeating: 0, count: 8) + [0x7F, 3, 0] + Array("NULL".utf8)
        + [UInt8](repeating: 0, count: 48)
    private static let ready: [UInt8] =
        [4, 28] + [5] + Array("READY".utf8) + [11] + Array("Socket-Type".utf8) + [0, 0, 0, 6] + Array("DEALER".utf8)

    /// Connects and shakes hands, unless it is connected.
    func join() -> Bool {
        if descriptor >= 0 { return true }
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var limit = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        address.sin_port = port.bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0, send(Self.greeting) else {
            leave()
            return false
        }
        // The other end's greeting, and its answer to the READY.
        var answer = [UInt8](repeating: 0, count: 256)
        guard recv(descriptor, &answer, 64, Int32(MSG_WAITALL)) == 64, send(Self.ready),
            recv(descriptor, &answer, answer.count, 0) > 0
        else {
            leave()
            return false
        }
        return true
    }

    func leave() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }

    /// Sends bytes as they are. Where the other end has hung up, it leaves.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        guard descriptor >= 0 else { return false }
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.send(
                    descriptor, buffer.baseAddress?.advanced(by: sent), buffer.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else {
                if errno != EAGAIN {
                    cuts += 1
                    leave()
                }
                return false
            }
            sent += count
        }
        return true
    }

    /// One frame: a whole message, or a part of one.
    static func frame(_ body: [UInt8], more: Bool = false) -> [UInt8] {
        let more: UInt8 = more ? 1 : 0
        guard body.count > 255 else { return [more, UInt8(body.count)] + body }
        return [more | 2] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: body.count >> ($0 * 8)) } + body
    }

    static func message(_ message: WorkerMessage, by worker: WorkerID) -> [UInt8] {
        (try? frame(message.encoded(by: worker))) ?? []
    }

    static func someWorker() -> WorkerID {
        let digits = Array("0123456789abcdef")
        return WorkerID(
            String((0..<36).map { [8, 13, 18, 23].contains($0) ? "-" : digits.randomElement() ?? "0" }))
    }
}
