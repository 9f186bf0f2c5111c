import CLibPQ
import Glibc
import Host

/// A wait for one socket. It has a limit, and an interrupt may cut it short.
enum SocketWait {
    enum Outcome: Equatable {
        /// The socket is readable, writable or broken: the next call on it says which.
        case ready
        case silent
        case interrupted
    }

    /// - Parameters:
    ///   - events: `POLLIN`, `POLLOUT` or both.
    ///   - limit: milliseconds.
    static func wait(
        _ socket: Int32, for events: Int32, limit: Int32, interrupt: PostgresInterrupt?
    ) -> Outcome {
        // libpq has closed the socket: the next call fails without waiting.
        guard socket >= 0 else { return .ready }
        let started = MonotonicTime.milliseconds()
        var left = limit
        var items = (
            pollfd(fd: socket, events: Int16(events), revents: 0),
            pollfd(fd: interrupt?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)
        )
        while true {
            let count = withUnsafeMutableBytes(of: &items) { bytes in
                poll(bytes.baseAddress?.assumingMemoryBound(to: pollfd.self), 2, left)
            }
            if count > 0 { return items.1.revents != 0 ? .interrupted : .ready }
            if count == 0 { return .silent }
            // A signal interrupted the poll, or the kernel is short of memory.
            left = limit - Int32(clamping: MonotonicTime.milliseconds() - started)
            if left <= 0 { return .silent }
        }
    }
}

extension Duration {
    /// Milliseconds for poll(2), at least one: zero would not wait, and a negative number would wait for ever.
    var pollLimit: Int32 {
        let (seconds, attoseconds) = components
        guard seconds < Int64(Int32.max) / 1000 else { return .max }
        return max(1, Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000))
    }

    /// For people: "75 s", "0.3 s".
    var inSeconds: String {
        let (seconds, attoseconds) = components
        let tenths = attoseconds / 100_000_000_000_000_000
        return tenths == 0 ? "\(seconds) s" : "\(seconds).\(tenths) s"
    }
}
