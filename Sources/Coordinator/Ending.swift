/// How far a coordinator is with the end of its run.
///
/// - `ahead`: leaves by `begun`, to `releasing`.
/// - `releasing`: the ledger gets the run back. Leaves by `released`, to `parting`.
/// - `parting`: the workers leave. Leaves by `workersLookedAfter` once they have said goodbye, are gone or are late, to
///   `recording`.
/// - `recording`: the workers' last figures are written. Leaves by `figuresWritten`, to `recorded`.
/// - `recorded`: leaves by `workersLookedAfter` once the workers are gone or late; the shell then ends.
/// - `over`: never left. `ended` leads here from every state.
enum Ending: Equatable {
    case ahead
    case releasing(Cause)
    case parting(Cause)
    case recording(Cause)
    case recorded(Cause)
    case over

    /// The moment at which the end began, and the reason if the run could not go on.
    struct Cause: Equatable {
        var since: Duration
        var error: CoordinatorError?
    }

    enum Action: Equatable {
        /// Write the workers' last figures, and report `figuresWritten`.
        case writeFigures
        /// End the service, and report `ended`.
        case end(CoordinatorError?)
    }

    /// The time that workers have to leave.
    static let farewell = Duration.seconds(5)

    // MARK: - Events

    /// The dispatching machine has finished, or the ledger has ended the run.
    /// - Returns: false if the end had begun already.
    mutating func begun(_ error: CoordinatorError? = nil, now: Duration) -> Bool {
        guard self == .ahead else { return false }
        self = .releasing(Cause(since: now, error: error))
        return true
    }

    /// The run's state is written, as far as it can be.
    mutating func released() {
        if case .releasing(let cause) = self { self = .parting(cause) }
    }

    /// - Parameter haveSaidGoodbye: whether no worker is left that could be told anything. Some processes may still be
    ///   there.
    /// - Parameter areGone: whether no worker is left.
    mutating func workersLookedAfter(haveSaidGoodbye: Bool, areGone: Bool, now: Duration) -> Action? {
        switch self {
        case .parting(let cause) where haveSaidGoodbye || areGone || cause.isLate(now):
            self = .recording(cause)
            return .writeFigures
        case .recorded(let cause) where areGone || cause.isLate(now): return .end(cause.error)
        case .ahead, .releasing, .parting, .recording, .recorded, .over: return nil
        }
    }

    /// The workers' last figures are written, or cannot be.
    mutating func figuresWritten() {
        if case .recording(let cause) = self { self = .recorded(cause) }
    }

    mutating func ended() { self = .over }

    // MARK: - Queries

    /// The moment at which the workers were told to leave; nil before it, and once everything is over.
    var since: Duration? {
        switch self {
        case .releasing(let cause), .parting(let cause), .recording(let cause), .recorded(let cause): cause.since
        case .ahead, .over: nil
        }
    }
}

extension Ending.Cause {
    fileprivate func isLate(_ now: Duration) -> Bool { now - since > Ending.farewell }
}
