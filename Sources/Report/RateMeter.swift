/// Rows a second over a sliding window, in constant memory.
///
/// Time is cut into buckets from `start`. The rate is the rows in the buckets that began within the last `windowSeconds`, divided
/// by the time since the oldest of them began: 9.5 to 10 s, or all the time since `start` while that is less. So a meter
/// without new rows is at 0 after `windowSeconds`, and one burst weighs no more than its rows over 9.5 s.
struct RateMeter: Sendable {
    /// The window, in seconds.
    static let windowSeconds = 10.0
    static let bucketsPerSecond = 2
    private static let bucketCount = Int(windowSeconds) * bucketsPerSecond
    /// The least time divided by, in seconds: rows that arrive right after the start must not look like a huge rate.
    private static let leastSpan = 1 / Double(bucketsPerSecond)

    private let start: Duration
    private var rows = [Int64](repeating: 0, count: bucketCount)
    /// Number, counted from `start`, of the newest bucket that holds rows or held them.
    private var newest: Int64 = 0

    init(start: Duration) { self.start = start }

    /// Forgets what was before: it says nothing of what follows.
    mutating func restarted(now: Duration) { self = RateMeter(start: now) }

    mutating func recorded(_ count: Int64, now: Duration) {
        // A `now` before the newest bucket counts into that bucket: the caller's clock may repeat itself.
        let bucket = max(newest, Int64(seconds(at: now) * Double(Self.bucketsPerSecond)))
        var stale = max(newest + 1, bucket - Int64(Self.bucketCount) + 1)
        while stale <= bucket {
            rows[slot(stale)] = 0
            stale += 1
        }
        newest = bucket
        rows[slot(bucket)] &+= count
    }

    func rate(now: Duration) -> Double {
        let elapsed = seconds(at: now)
        let perSecond = Double(Self.bucketsPerSecond)
        let oldest = max(0, Int64(((elapsed - Self.windowSeconds) * perSecond).rounded(.down)) + 1)
        guard oldest <= newest else { return 0 }
        let count = (oldest...newest).reduce(Int64(0)) { $0 &+ rows[slot($1)] }
        return Double(count) / max(elapsed - Double(oldest) / perSecond, Self.leastSpan)
    }

    private func slot(_ bucket: Int64) -> Int { Int(bucket % Int64(Self.bucketCount)) }
    private func seconds(at now: Duration) -> Double { max(0, (now - start).inSeconds) }
}
