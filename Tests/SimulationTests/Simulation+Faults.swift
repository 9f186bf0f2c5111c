import Sharding

@testable import SimulatedLedger

/// What happens to a statement on its way to the server and back.
enum StatementFate {
    case plain
    case lostBefore
    case lostAfter
    /// The client loses its connection, but the server still runs the statement later.
    case runsLater
    case retryable
    case crashAfterCommit
    case stuck
}

extension Simulation {
    func drawFate(isBatch: Bool, isInTransaction: Bool) -> StatementFate {
        if chance(scenario.lostBefore) {
            audit.count(.connectionLostBeforeStatement)
            return .lostBefore
        }
        if chance(scenario.lostAfter) { return .lostAfter }
        if !isInTransaction, chance(scenario.ranLater) { return .runsLater }
        guard isBatch else { return .plain }
        if chance(scenario.retryable) {
            audit.count(.retryableError)
            return .retryable
        }
        if chance(scenario.crashAfterCommit) { return .crashAfterCommit }
        if chance(scenario.stuck) {
            audit.count(.statementStuck)
            return .stuck
        }
        return .plain
    }

    /// Injects faults until the fault phase ends.
    func scheduleFaults() {
        after(scenario.faultPhase) { self.heal() }
        after(upTo(scenario.faultEvery * 2)) { self.nextFault() }
        after(upTo(scenario.outsideEvery * 2)) { self.nextOutsideChange() }
        if misfits > 0 { after(upTo(scenario.faultPhase)) { self.takeFitWorkersAway() } }
        if let hold = scenario.hold { after(upTo(hold.every * 2)) { self.holdShards(hold) } }
    }

    /// The hosts of all workers with a program are taken away. What is left of the workers cannot do the job, so the run
    /// must stop with that reason. Only then an operator looks.
    private func takeFitWorkersAway() {
        guard healedAt == nil, misfits > 0, workers.count > misfits else { return }
        audit.note("fault: only the workers without a program are left")
        fitWorkersStayAway = true
        for worker in workers where worker.slot >= misfits { worker.kill() }
    }

    /// The run has stopped since no worker can do its job: the operator mends that.
    func operatorLooks(at reason: String) {
        guard misfits > 0, reason.hasPrefix("no worker can do this job") else { return }
        audit.count(.misfitsMended)
        audit.note("the operator mends the workers: \(reason)")
        misfits = 0
        fitWorkersStayAway = false
    }

    /// Somebody locks the ledger's rows of some or all shards that wait for a worker, as an open transaction of an
    /// operator does. A worker's own row is not among them.
    private func holdShards(_ hold: (every: Duration, atMost: Duration)) {
        guard healedAt == nil else { return }
        let pending = database.shards.filter { $0.state == .pending }.map(\.id)
        let held = random.next() % 2 == 0 ? pending : Array(pending.prefix(1))
        heldShards = serverIsDown ? [] : Set(held)
        if !heldShards.isEmpty { audit.count(.shardsHeld) }
        audit.note("fault: the rows of shards \(heldShards.sorted()) are locked")
        after(upTo(hold.atMost)) { [self] in
            heldShards = []
            after(upTo(hold.every * 2)) { self.holdShards(hold) }
        }
    }

    private func nextFault() {
        guard healedAt == nil else { return }
        strike()
        after(upTo(scenario.faultEvery * 2)) { self.nextFault() }
    }

    private func strike() {
        switch random.next() % 24 {
        case 0...3: crashWorker()
        case 4...7: freezeWorker()
        case 8, 9: crashCoordinator()
        case 10, 11: freezeCoordinator()
        case 12...14: partition()
        case 15, 16: interruptLedger()
        case 17, 18: failOver()
        case 19, 20: breakProgram()
        case 21: killSession()
        case 22: askToDrain()
        default: if random.next() % 8 == 0 { askToCancel() } else { askToDrain() }
        }
    }

    private func pickWorker() -> SimulatedWorker? {
        let alive = workers.filter(\.isAlive)
        return alive.isEmpty ? nil : alive[Int(random.next() % UInt64(alive.count))]
    }

    private func crashWorker() {
        guard let worker = pickWorker() else { return }
        audit.count(.workerCrashed)
        audit.note("fault: \(worker.name) crashes")
        worker.kill()
    }

    private func freezeWorker() {
        guard let worker = pickWorker() else { return }
        audit.count(.workerFroze)
        worker.freeze(for: upTo(Scenario.leaseDuration * 3))
    }

    private func crashCoordinator() {
        guard let endpoint, endpoint.isAlive else { return }
        audit.count(.coordinatorCrashed)
        audit.note("fault: \(endpoint.name) crashes")
        endpoint.kill()
    }

    private func freezeCoordinator() {
        guard let endpoint, endpoint.isAlive else { return }
        audit.count(.coordinatorFroze)
        endpoint.freeze(for: upTo(SimulatedDatabase.ownership * 3))
    }

    /// Cuts some workers off from every coordinator; they still reach the database.
    private func partition() {
        audit.count(.partitioned)
        let cut = workers.filter { _ in random.next() % 2 == 0 }
        audit.note("fault: \(cut.map(\.name)) are cut off")
        for worker in cut { worker.isPartitioned = true }
        after(upTo(Scenario.leaseDuration * 2)) {
            for worker in cut { worker.isPartitioned = false }
        }
    }

    private func interruptLedger() {
        guard !serverIsDown else { return }
        audit.count(.ledgerOutage)
        audit.note("fault: the server is down")
        serverIsDown = true
        endSessions()
        after(upTo(.seconds(8))) { [self] in
            audit.note("the server is up")
            serverIsDown = false
        }
    }

    /// A standby that had not received the last commits takes over.
    private func failOver() {
        guard !failoverIsDue else { return }
        failoverIsDue = true
        let standby = database
        after(upTo(.seconds(2))) { [self] in
            failoverIsDue = false
            guard healedAt == nil else { return }
            audit.count(.failoverLostCommits)
            audit.note("fault: a failover loses \(database.transaction - standby.transaction) transactions")
            database = standby
            endSessions()
        }
    }

    private func breakProgram() {
        audit.count(.programBroken)
        audit.note("fault: the program is broken")
        programIsBroken = true
        after(upTo(.seconds(6))) { self.programIsBroken = false }
    }

    private func killSession() {
        guard let worker = pickWorker() else { return }
        audit.count(.connectionKilled)
        audit.note("fault: \(worker.name)'s session is ended")
        close(worker.session)
    }

    private func askToDrain() {
        guard let endpoint, endpoint.isServing else { return }
        audit.count(.drainAsked)
        audit.note("the operator drains")
        endpoint.drain()
    }

    private func askToCancel() {
        guard let endpoint, endpoint.isServing else { return }
        audit.count(.cancelAsked)
        audit.note("the operator cancels")
        endpoint.cancel()
    }

    // MARK: - The outside application

    private func nextOutsideChange() {
        guard completedAt == nil else { return }
        after(upTo(scenario.outsideEvery * 2)) { self.nextOutsideChange() }
        guard !serverIsDown, !database.rows.isEmpty else { return }
        let any = database.rows[Int(random.next() % UInt64(database.rows.count))].key
        switch random.next() % 50 {
        case 0: database.deleteFromOutside(any)
        case 1: database.insertFromOutside(any + Int(random.next() % 100))
        case 2...25: database.changeFromOutside(any)
        default: database.changeFromOutside(hotKeys[Int(random.next() % UInt64(hotKeys.count))])
        }
    }
}
