import CLibPQ
import Glibc

/// Gives up, from any thread, whatever a connection waits for: for a process that must end now and not when the server
/// answers.
///
/// It cannot be taken back: a connection that it was given to is dead from then on, and one that is being made is not made.
/// One interrupt may serve all connections of a process.
public final class PostgresInterrupt: Sendable, Equatable {
    /// An eventfd, readable for good once interrupted; -1 where the kernel gave none, and then nothing can be interrupted.
    let descriptor: Int32

    public init() { descriptor = coord_pq_eventfd() }
    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Returns at once. The server notices on its own that the client is gone, and rolls back what was not committed.
    public func interrupt() {
        var one: UInt64 = 1
        // It fails only when the counter is at its end: then it has been written to already.
        _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
    }

    public static func == (first: PostgresInterrupt, second: PostgresInterrupt) -> Bool { first === second }
}
