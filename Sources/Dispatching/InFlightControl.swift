/// Finds by trying how many workers should write at a time: as few as do nearly as many rows as more of them would.
///
/// It measures the present limit, then tries a higher one, then a lower one, each for a few seconds, and keeps what was better.
/// A higher limit must bring a good part of what it adds; a lower one may cost next to nothing.
public struct InFlightControl: Sendable, Equatable {
    /// What the run's job says.
    public enum Setting: Sendable, Equatable {
        case fixed(Int)
        /// Begin with this many, and try.
        case automatic(from: Int)
    }

    /// How long a limit is measured, and how long it works before that.
    static let window = Duration.seconds(2)
    static let settling = Duration.milliseconds(500)
    /// How long the better limit stays before others are tried again.
    static let pause = Duration.seconds(30)
    /// A higher limit has to do so much more, and a lower one at least so much.
    static let gain = 1.1
    static let loss = 0.97
    /// How long nobody waits before a window tells nothing.
    static let leastWaiting = 0.5

    private enum Phase: Equatable {
        case base, higher, lower
    }

    public private(set) var limit: Int
    private let isFixed: Bool
    private var phase = Phase.base
    /// The limit that is the best so far, and its rows a second.
    private var best: Int
    private var bestRate = 0.0
    private var startsAt = Duration.zero
    private var begin: (rows: Int64, at: Duration)?
    private var looks = 0
    private var contended = 0

    public init(_ setting: Setting) {
        switch setting {
        case .fixed(let limit): (self.limit, isFixed) = (max(1, limit), true)
        case .automatic(let start): (self.limit, isFixed) = (max(1, start), false)
        }
        best = limit
    }

    /// Some time has passed.
    ///
    /// - Parameters:
    ///   - rows: the rows that the run has done.
    ///   - waiting: workers that wait for their turn.
    ///   - workers: all workers, which no limit needs to exceed.
    public mutating func measured(rows: Int64, waiting: Int, workers: Int, now: Duration) {
        guard !isFixed, now >= startsAt else { return }
        guard let begin else {
            self.begin = (rows, now)
            (looks, contended) = (0, 0)
            return
        }
        looks += 1
        if waiting > 0 { contended += 1 }
        guard now - begin.at >= Self.window else { return }
        let rate = Double(rows - begin.rows) / ((now - begin.at) / .seconds(1))
        self.begin = nil
        // Nobody waits: the limit bounds nothing, and says nothing.
        guard Double(contended) >= Self.leastWaiting * Double(looks) || phase == .higher else {
            return settle(on: best, at: now)
        }
        switch phase {
        case .base:
            bestRate = rate
            attempt(.higher, max(best + 1, best * 3 / 2), workers: workers, now: now)
        case .higher:
            if rate >= bestRate * Self.gain {
                (best, bestRate) = (limit, rate)
                attempt(.higher, max(best + 1, best * 3 / 2), workers: workers, now: now)
            } else {
                attempt(.lower, best - max(1, best / 4), workers: workers, now: now)
            }
        case .lower:
            if rate >= bestRate * Self.loss {
                (best, bestRate) = (limit, max(rate, bestRate))
                attempt(.lower, best - max(1, best / 4), workers: workers, now: now)
            } else {
                settle(on: best, at: now)
            }
        }
    }

    /// What is measured from now on has nothing to do with what was before.
    public mutating func interrupted() { begin = nil }

    private mutating func attempt(_ phase: Phase, _ limit: Int, workers: Int, now: Duration) {
        let limit = min(limit, max(1, workers))
        switch phase {
        case .higher where limit <= best: return attempt(.lower, best - max(1, best / 4), workers: workers, now: now)
        case .lower where limit < 1 || limit >= best: return settle(on: best, at: now)
        default: break
        }
        self.phase = phase
        self.limit = limit
        startsAt = now + Self.settling
    }

    private mutating func settle(on limit: Int, at now: Duration) {
        self.limit = limit
        phase = .base
        startsAt = now + Self.pause
    }

    public static func == (left: InFlightControl, right: InFlightControl) -> Bool {
        left.limit == right.limit && left.phase == right.phase && left.best == right.best
            && left.bestRate == right.bestRate && left.startsAt == right.startsAt
            && left.begin?.rows == right.begin?.rows && left.begin?.at == right.begin?.at
            && left.looks == right.looks && left.contended == right.contended
    }
}
