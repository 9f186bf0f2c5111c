/// One host whose workers this coordinator starts over ssh: when to start them, when to try again, when to end them.
///
/// It does no I/O and reads no clock.
///
/// - `waiting`: until it is time to start. Leaves by `timePassed` to `starting`, by `leaveRequested` to `over`.
/// - `starting`: ssh runs, and the host has not said that its workers are there. Leaves by `ready` to `running`, by `ended`
///   to `waiting`, by `leaveRequested` to `leaving`, and by `timePassed`, when it is late, to `failing`.
/// - `running`: leaves by `ended` to `waiting`, by `leaveRequested` to `leaving`.
/// - `failing`: ssh was killed, and the reason is known. Leaves by `ended` to `waiting`, by `leaveRequested` to `leaving`.
/// - `leaving`: the host's workers were told to leave. Leaves by `ended` to `over`.
/// - `over`: never left.
struct HostStateMachine: Equatable {
    enum State: Equatable {
        case waiting(until: Duration)
        case starting(since: Duration)
        case running(since: Duration)
        case failing(reason: String)
        case leaving
        case over
    }

    enum Action: Equatable {
        /// Start ssh, then report `ended` if it cannot be started, or once it has ended.
        case start
        /// Ask the host's workers to finish their batches and leave.
        case dismiss
        /// Kill ssh, and report `ended`.
        case kill
        case announceStarted(workers: Int)
        case announceLost(reason: String, retryIn: Duration)
    }

    /// What keeps a host's workers away.
    struct Trouble: Equatable {
        var reason: String
        /// When it is tried again.
        var retryAt: Duration
    }

    /// From ssh's start until the workers are started.
    static let startLimit = Duration.seconds(30)
    /// Between two tries: it doubles from the first to the last.
    static let pauses = (first: Duration.seconds(1), longest: Duration.seconds(60))
    /// Workers that were there for longer had no trouble of their own: the next pause is the shortest again.
    static let steadyAfter = Duration.seconds(60)

    private(set) var state = State.waiting(until: .zero)
    /// Nil while nothing is known to be wrong.
    private(set) var trouble: Trouble?
    private var failures = 0

    // MARK: - Events

    mutating func timePassed(now: Duration) -> [Action] {
        switch state {
        case .waiting(let until) where now >= until:
            state = .starting(since: now)
            return [.start]
        case .starting(let since) where now - since > Self.startLimit:
            state = .failing(reason: "its workers were not started within \(Self.startLimit.components.seconds) s")
            return [.kill]
        case .waiting, .starting, .running, .failing, .leaving, .over: return []
        }
    }

    /// The host has started its workers.
    mutating func ready(workers: Int, now: Duration) -> [Action] {
        guard case .starting = state else { return [] }
        state = .running(since: now)
        trouble = nil
        return [.announceStarted(workers: workers)]
    }

    /// ssh has ended, or could not be started.
    mutating func ended(reason: String, now: Duration) -> [Action] {
        switch state {
        case .starting: return failed(reason, now: now)
        case .failing(let known): return failed(known, now: now)
        case .running(let since):
            if now - since >= Self.steadyAfter { failures = 0 }
            return failed(reason, now: now)
        case .leaving:
            state = .over
            return []
        case .waiting, .over: return []
        }
    }

    /// The run is about to end: no worker is wanted any more.
    mutating func leaveRequested() -> [Action] {
        trouble = nil
        switch state {
        case .waiting:
            state = .over
            return []
        case .starting, .running, .failing:
            state = .leaving
            return [.dismiss]
        case .leaving, .over: return []
        }
    }

    // MARK: - Queries

    /// Whether no process of this host's is left that this coordinator has started.
    var isOver: Bool { state == .over }

    private mutating func failed(_ reason: String, now: Duration) -> [Action] {
        let doubled = Self.pauses.first * (1 << min(failures, 10))
        let pause = min(doubled, Self.pauses.longest)
        failures += 1
        let isNews = trouble?.reason != reason
        trouble = Trouble(reason: reason, retryAt: now + pause)
        state = .waiting(until: now + pause)
        // A host that stays away would be told of once a minute.
        return isNews ? [.announceLost(reason: reason, retryIn: pause)] : []
    }
}
