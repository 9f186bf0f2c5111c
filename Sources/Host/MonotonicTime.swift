import Glibc

/// The clock that the shells hand to the state machines.
package enum MonotonicTime {
    /// Time since some moment before this process; never goes back, also when the wall clock is set.
    package static func now() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }
}
