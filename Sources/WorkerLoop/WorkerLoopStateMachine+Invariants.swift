import Sharding

// Conditions that hold between any two events. The shell asserts them in debug builds, the simulator under every seed.
extension WorkerLoopStateMachine {
    /// The first breach in words: a contradiction within the machine, or an event that its shell must not report. Nil
    /// when all is well.
    public func checkInvariants() -> String? {
        breach ?? contradiction.map { "\($0); it is \(step), has \(work.map { "\($0.lease)" } ?? "no lease") in hand" }
    }

    /// Stops a debug build when an invariant does not hold. A release build checks nothing.
    public func assertInvariants() {
        assert(checkInvariants() == nil, checkInvariants() ?? "")
    }

    private var contradiction: String? {
        switch activity {
        case .idle, .stopped:
            if work != nil { return "a lease is in hand and nothing is done about it" }
            if let next { return "\(next) waits though nothing is in hand" }
            if turn != .none, activity == .idle { return "a turn goes on though nothing is in hand" }
            if draining, activity == .idle { return "a drained worker with nothing in hand stays" }
            return nil
        case .applying where configuration.mode == .rowBased: return "a batch of rows is applied as a statement"
        case .reading, .computing, .writing:
            if configuration.mode == .setBased { return "a batch of a set job has rows" }
        case .queued(_, let summary, _):
            if turnTaking == .none || turn != .asked { return "a turn is waited for that nobody has asked for" }
            if (summary == nil) != (configuration.mode == .setBased) { return "a batch of the other kind waits" }
        case .opening, .applying, .waiting: break
        }
        guard let work else { return "a step is under way on no lease" }
        switch activity {
        case .waiting, .queued: if work.revoked || draining { return "a lease that is to be put down waits" }
        default: break
        }
        return contradiction(of: work)
    }

    private func contradiction(of work: Work) -> String? {
        if let next, next.shard == work.lease.shard, !work.revoked || next.epoch <= work.lease.epoch {
            return "\(next) waits for a lease of the same shard that is not older, or goes on"
        }
        if work.failures >= configuration.retry.attempts {
            return "\(work.failures) failures of at most \(configuration.retry.attempts) are tried again"
        }
        if work.refusals >= Self.refusalLimit { return "\(work.refusals) refusals of the fence are tried again" }
        if work.deferrals.count > work.position.deferred.count { return "rows are counted as deferred that are not" }
        return nil
    }
}
