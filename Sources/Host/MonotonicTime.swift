import Glibc

/// The one clock of a process, and the one way to wait for it.
package enum MonotonicTime {
    /// Time since some moment before this process; never goes back, also when the wall clock is set.
    package static func now() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }

    /// The same in whole milliseconds, as poll(2) counts them.
    package static func milliseconds() -> Int64 { Int64(now() / .milliseconds(1)) }

    /// Holds this thread up. A signal may end it earlier.
    package static func pause(for duration: Duration) {
        let (seconds, attoseconds) = duration.components
        guard duration > .zero else { return }
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        nanosleep(&time, nil)
    }
}
