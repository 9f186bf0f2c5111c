import CLibPQ
import Glibc

/// Ends a connection's wait from any thread, for a process that must end now and not when the server answers.
///
/// It cannot be undone: a connection with this interrupt is dead from then on, and a connection attempt fails. One
/// interrupt may serve all connections of a process.
public final class PostgresInterrupt: Sendable, Equatable {
    /// An eventfd that is readable for good after the interrupt. -1 if the kernel gave none; then nothing can be
    /// interrupted.
    let descriptor: Int32

    public init() { descriptor = coord_pq_eventfd() }
    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Returns at once. The server notices by itself that the client is gone, and rolls the open transaction back.
    public func interrupt() {
        var one: UInt64 = 1
        // It fails only when the counter is full: then the eventfd is readable already.
        _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
    }

    public static func == (first: PostgresInterrupt, second: PostgresInterrupt) -> Bool { first === second }
}
