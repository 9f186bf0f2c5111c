/// When the workers of a keeper have to go: what comes through its standard input, and what does not come.
///
/// - `held`: the coordinator is heard, and may have asked the workers to leave. Leaves by `ended`, or when it falls silent, to
///   `draining`; by a stop to `over`.
/// - `draining`: the workers finish their batches. Leaves by `timePassed`, when they are late, or by a stop, to `over`.
/// - `over`: never left.
struct KeeperLeash: Equatable {
    enum State: Equatable {
        case held(heard: Duration, isLeaving: Bool)
        case draining(since: Duration)
        case over
    }

    enum Order: Equatable {
        /// Ask the workers to finish their batches and leave.
        case drain
        /// Kill those that are left.
        case kill
    }

    /// The coordinator says that it is there.
    static let beat = UInt8(ascii: ".")
    /// The coordinator wants no more workers. It waits for those that are there.
    static let leave = UInt8(ascii: "-")
    /// The coordinator says that nobody waits for the batches under way.
    static let stop = UInt8(ascii: "!")
    /// Between two beats.
    static let beatInterval = Duration.seconds(5)
    /// Without a beat for so long the coordinator counts as gone: a broken network ends no connection by itself.
    static let silenceLimit = Duration.seconds(30)
    /// The time that workers have to finish their batches.
    static let drainLimit = Duration.seconds(30)

    private(set) var state: State

    init(now: Duration) { state = .held(heard: now, isLeaving: false) }

    mutating func heard(_ bytes: some Sequence<UInt8>, now: Duration) -> Order? {
        if bytes.contains(Self.stop), state != .over {
            state = .over
            return .kill
        }
        guard case .held(_, let wasLeaving) = state else { return nil }
        let isLeaving = wasLeaving || bytes.contains(Self.leave)
        state = .held(heard: now, isLeaving: isLeaving)
        return isLeaving && !wasLeaving ? .drain : nil
    }

    /// The coordinator's side of the leash is gone.
    mutating func ended(now: Duration) -> Order? {
        guard case .held = state else { return nil }
        state = .draining(since: now)
        return .drain
    }

    mutating func timePassed(now: Duration) -> Order? {
        switch state {
        case .held(let heard, _) where now - heard > Self.silenceLimit: return ended(now: now)
        case .draining(let since) where now - since > Self.drainLimit:
            state = .over
            return .kill
        case .held, .draining, .over: return nil
        }
    }

    /// Whether workers that are missing should be started.
    var wantsWorkers: Bool {
        if case .held(_, let isLeaving) = state { !isLeaving } else { false }
    }
}
