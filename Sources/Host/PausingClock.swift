/// A clock that stands still while its process is frozen, or its host asleep.
///
/// A frozen process cannot see what others do, so that time counts against nobody. The first reading after a freeze
/// takes the frozen time out. A tick reads the clock at least every `limit`.
package struct PausingClock: Sendable {
    /// A longer time between two readings means that the process was frozen.
    package static let limit = Duration.seconds(2)

    private let origin: Duration
    private var paused = Duration.zero
    private var latest = Duration.zero

    /// - Parameter time: time since any fixed moment, the same one for all readings.
    package init(at time: Duration = MonotonicTime.now()) { origin = time }

    /// Time since the clock was made, without pauses. It never goes back.
    package mutating func read(at time: Duration = MonotonicTime.now()) -> Duration {
        let now = time - origin - paused
        if now - latest > Self.limit {
            paused += now - latest
        } else {
            latest = max(latest, now)
        }
        return latest
    }
}
