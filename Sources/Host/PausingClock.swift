/// A clock that stands still while its process is frozen, or its host asleep.
///
/// What others do in such a time cannot be seen, so it counts against nobody. Whoever reads the clock first after it takes it
/// out, so that no two readings differ by it. The clock is read at least every `limit`, by a tick.
package struct PausingClock: Sendable {
    /// A longer time between two readings means that the process was frozen.
    package static let limit = Duration.seconds(2)

    private let origin: Duration
    private var paused = Duration.zero
    private var latest = Duration.zero

    /// - Parameter time: as every later one, since any fixed moment.
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
