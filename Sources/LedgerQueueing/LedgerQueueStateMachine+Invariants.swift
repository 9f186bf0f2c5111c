// Conditions that hold between any two events. The shell asserts them in debug builds, the simulator under every seed.
extension LedgerQueueStateMachine {
    /// The walk over all tasks is left out for longer queues: a debug build would do nothing else.
    static let walkLimit = 1_000

    /// The first breach in words: a contradiction within the machine, or an event that its shell must not report. Nil
    /// when all is well.
    package func checkInvariants() -> String? {
        breach ?? contradiction.map { "\($0); it is \(phase), \(waiting.count) tasks wait" }
    }

    /// Stops a debug build when an invariant does not hold. A release build checks nothing.
    package func assertInvariants() {
        assert(checkInvariants() == nil, checkInvariants() ?? "")
    }

    private var contradiction: String? { contradictionOfPhase ?? contradictionOfTasks }

    private var contradictionOfPhase: String? {
        switch phase {
        case .idle:
            if !waiting.isEmpty { return "it is idle though something is to be done" }
        case .asking(let task, let tries):
            if task.isRelease, !isOver { return "the run is given back before its end" }
            if tries > configuration.retries { return "it tries \(task) for the \(tries + 1)th time" }
        case .retrying(let task, let tries):
            if tries < 1 || tries > configuration.retries { return "it waits for try \(tries) of \(task)" }
        case .reconnecting(let outage), .away(let outage), .inquiring(let outage?):
            if !(Self.reconnectPauses.first...Self.reconnectPauses.longest ~= outage.pause) {
                return "it would wait for \(outage.pause)"
            }
        case .ending:
            if isOver { return "it ends the run twice" }
        case .inquiring(nil), .explaining: break
        case .stopped:
            if !waiting.isEmpty { return "it has stopped, and something is to be done" }
        }
        return nil
    }

    private var contradictionOfTasks: String? {
        guard waiting.count <= Self.walkLimit else { return nil }
        let tasks = waiting.map(\.task)
        for task in [LedgerTask.renew, .note] where tasks.count(where: { $0 == task }) > 1 {
            return "\(task) waits twice"
        }
        if tasks.dropFirst().contains(.renew) { return "the renewal of the ownership waits for another task" }
        if let entry = waiting.first(where: { !(0...configuration.retries ~= $0.tries) }) {
            return "\(entry.task) waits for try \(entry.tries)"
        }
        if isOver, let task = tasks.first(where: { !$0.isLasting }) {
            return "\(task) waits after the end of the run"
        }
        let releases = tasks.count(where: \.isRelease)
        if releases > (isOver ? 1 : 0) { return "the run is given back \(releases) times" }
        return nil
    }
}

extension LedgerTask {
    fileprivate var isRelease: Bool {
        guard case .release = self else { return false }
        return true
    }
}
