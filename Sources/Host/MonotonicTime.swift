import Glibc

/// The one clock of a process, and the one way to sleep.
package enum MonotonicTime {
    /// Time since a moment before this process. It never goes back, not even when the wall clock is set.
    package static func now() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }

    /// `now` in whole milliseconds, for poll(2).
    package static func milliseconds() -> Int64 { Int64(now() / .milliseconds(1)) }

    /// Makes this thread sleep. A signal may end the sleep earlier.
    package static func pause(for duration: Duration) {
        let (seconds, attoseconds) = duration.components
        guard duration > .zero else { return }
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        nanosleep(&time, nil)
    }
}
