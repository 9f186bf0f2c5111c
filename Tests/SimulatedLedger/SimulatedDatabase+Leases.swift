import Dispatching
import LedgerQueueing
import Sharding

/// A coordinator's hold on the run. Mirrors `Ledger.Ownership`.
struct SimulatedOwnership: Equatable {
    var coordinator: WorkerID
    var term: Int
}

extension SimulatedDatabase {
    // MARK: - By the coordinator

    /// - Returns: nil while another coordinator owns the run, or when the run is over.
    mutating func takeOver(_ coordinator: WorkerID, now: Duration) -> SimulatedOwnership? {
        let isOwned = run.coordinator != nil && run.ownedUntil > now
        guard !isOwned, run.state != .complete, run.state != .cancelled else { return nil }
        if run.term > 0 { audit.count(run.coordinator == nil ? .resumed : .tookOver) }
        run = Run(state: .running, term: run.term + 1, coordinator: coordinator, ownedUntil: now + Self.ownership)
        for index in shards.indices where shards[index].state == .failed {
            shards[index].state = .pending
            shards[index].failures = 0
            shards[index].owner = nil
        }
        return SimulatedOwnership(coordinator: coordinator, term: run.term)
    }

    func isOwner(_ ownership: SimulatedOwnership) -> Bool {
        run.coordinator == ownership.coordinator && run.term == ownership.term
    }

    mutating func renew(_ ownership: SimulatedOwnership, now: Duration) -> Bool {
        guard isOwner(ownership) else { return false }
        run.ownedUntil = now + Self.ownership
        return true
    }

    /// What has become of the coordinator's run; nil for a state that no coordinator writes.
    func standing(_ ownership: SimulatedOwnership) -> LedgerStanding? {
        if run.state == .cancelled { return .cancelled }
        if run.term != ownership.term { return .taken }
        if isOwner(ownership), run.state == .running { return .owned }
        let done = shards.count { $0.state == .done }
        let failed = shards.count { $0.state == .failed }
        guard run.coordinator == nil, done + failed == shards.count else { return nil }
        switch run.state {
        case .complete where failed == 0, .partial, .failed: return .ended(done: done, failed: failed)
        case .planned, .running, .paused, .complete, .cancelled: return nil
        }
    }

    mutating func release(_ ownership: SimulatedOwnership, as state: RunState) {
        guard isOwner(ownership) else { return }
        run.state = state
        run.coordinator = nil
        guard state == .cancelled else { return }
        for index in shards.indices where shards[index].state == .running {
            shards[index].epoch = shards[index].epoch.next
            shards[index].owner = nil
            shards[index].state = .pending
        }
    }

    mutating func lease(_ shard: ShardID, to worker: WorkerID, after epoch: Epoch, _ ownership: SimulatedOwnership)
        -> (lease: Lease, sequence: Int64)?
    {
        let index = Int(shard.rawValue)
        guard isOwner(ownership) else {
            audit.count(.staleTermRefused)
            return nil
        }
        guard shards[index].epoch == epoch, shards[index].state == .pending || shards[index].state == .running else {
            return nil
        }
        shards[index].epoch = epoch.next
        shards[index].owner = worker
        shards[index].state = .running
        shards[index].leaseSequence = shards[index].sequence
        return (Lease(shard: shard, epoch: epoch.next), shards[index].sequence)
    }

    /// - Parameter attempts: failures in a row after which the shard has failed; 0 for an end that is no failure.
    mutating func recordAttempt(
        _ lease: Lease, worker: WorkerID, permanent: Bool, attempts: Int, _ ownership: SimulatedOwnership
    ) -> (state: ShardState, failures: Int)? {
        guard isOwner(ownership) else {
            audit.count(.staleTermRefused)
            return nil
        }
        var shard = shards[Int(lease.shard.rawValue)]
        guard shard.epoch == lease.epoch, shard.owner == worker, shard.state == .running else { return nil }
        let advanced = shard.sequence > shard.leaseSequence
        let failures = shard.failures
        if attempts == 0 {
            shard.state = .pending
        } else {
            shard.failures = advanced ? 1 : failures + 1
            let mayRetry = advanced ? attempts > 1 : failures + 1 < attempts
            shard.state = !permanent && mayRetry ? .pending : .failed
        }
        shard.owner = nil
        shards[Int(lease.shard.rawValue)] = shard
        if shard.state == .failed { audit.count(.shardFailed) }
        return (shard.state, attempts == 0 ? 0 : shard.failures)
    }

    /// Ends the run if no shard is open. Nil if the run is not this coordinator's any more.
    mutating func conclude(_ ownership: SimulatedOwnership) -> (open: Int, done: Int, failed: Int)? {
        let done = shards.count { $0.state == .done }
        let failed = shards.count { $0.state == .failed }
        let open = shards.count - done - failed
        let trusts = !mechanisms.contains(.ledgerDecides)
        guard isOwner(ownership) else { return nil }
        guard open == 0 || trusts else { return (open, done, failed) }
        run.state = failed == 0 ? .complete : done > 0 ? .partial : .failed
        run.coordinator = nil
        if open > 0 { audit.report(.i5, "the run was concluded with \(open) shards open") }
        audit.count(failed == 0 ? .completed : .concludedPartly)
        return (trusts ? 0 : open, done, failed)
    }

    // MARK: - By the worker

    func open(_ lease: Lease, owner: WorkerID) -> Position? {
        let shard = shards[Int(lease.shard.rawValue)]
        guard shard.epoch == lease.epoch, shard.owner == owner, shard.state == .running else { return nil }
        guard !mechanisms.contains(.stretch) else { return shard.position }
        var other = shard
        other.cursor = withoutEnd(shard.cursor, of: shard)
        return other.position
    }

    // MARK: - The end

    /// Checks what a complete run must leave behind.
    func checkCompleted() {
        for row in rows {
            if row.isInScope, row.truth.applied != 1 {
                audit.report(.i1, "row \(row.key) was updated \(row.truth.applied) times in a complete run")
            }
            if row.value != row.truth {
                audit.report(.i6, "row \(row.key) holds \(row.value), but \(row.truth) was committed")
            }
        }
        let open = shards.filter { $0.state != .done }
        if !open.isEmpty { audit.report(.i5, "a complete run with open shards \(open.map(\.id))") }
        let counted = shards.reduce(0) { $0 + $1.rowsDone }
        if counted != writes { audit.report(.i2, "shards count \(counted) rows, but \(writes) were written") }
        checkTiling()
    }

    func checkTiling() {
        let ranges = shards.map { shard in
            KeyRange(after: shard.after.map { Key(String($0)) }, through: shard.through.map { Key(String($0)) })
        }
        do {
            try KeyRange.checkTiling(ranges)
        } catch {
            audit.report(.i4, error.description)
        }
    }
}
