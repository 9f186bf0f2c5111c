import Dispatching
import Job
import Ledger
import Logging
import Metrics
import Postgres
import Progress
import Sharding

// The actions that touch the ledger, one after another.
extension CoordinatorService {
    func enqueue(_ task: LedgerTask) {
        queue.append(task)
        guard !ledgerBusy else { return }
        ledgerBusy = true
        Task { await workQueue() }
    }

    func workQueue() async {
        while !queue.isEmpty, continuation != nil {
            let task = queue.removeFirst()
            do {
                try await attempt(task)
            } catch let error as PostgresError {
                guard await ledgerFailed(error) else { break }
            } catch {
                end(.failure(error))
            }
        }
        ledgerBusy = false
    }

    /// Deadlocks and lock timeouts pass; a lease that waits for its row's lock ends the session that holds it.
    func attempt(_ task: LedgerTask) async throws {
        var tries = 0
        while true {
            do {
                return try await carryOut(task)
            } catch let error as PostgresError where error.recovery == .retry && tries < Self.ledgerRetries {
                tries += 1
                log.info("the ledger is busy, trying again: \(error)")
                if case .dispatch(.recordLease(let shard, _, _)) = task { await endHolder(of: shard) }
                // A cancelled task only shortens the pause.
                try? await Task.sleep(for: .milliseconds(50 * tries))
            }
        }
    }

    /// The row of a shard that is to be leased is locked: its last worker's session may be stuck in a statement.
    func endHolder(of shard: ShardID) async {
        let run = opened.ownership.run
        do {
            try await ledger.with { try $0.terminateHolder(of: shard, run: run) }
        } catch {
            // This role may not end that session; its statement timeout will.
            log.info("the session that holds shard \(shard) could not be ended: \(error)")
        }
    }

    func carryOut(_ task: LedgerTask) async throws {
        switch task {
        case .dispatch(let request): try await carryOut(request)
        case .renew:
            let (ownership, rate) = (opened.ownership, snapshot().rowsPerSecond)
            guard !isOver else { return }
            let answer = try await ledger.with { try $0.renew(ownership, rowsPerSecond: rate) }
            guard let renewal = answer else { return try await ownershipLost() }
            if renewal.cancelAsked {
                progress.noted("cancelling: each worker finishes its batch", from: .draining)
                react { $0.cancelRequested(now: $1) }
            }
        case .note:
            let records = progress.snapshot(now: now).workers.map { worker in
                WorkerRecord(
                    id: worker.id, host: worker.host, pid: worker.pid, shard: worker.shard, rowsDone: worker.rowsDone,
                    rowsPerSecond: worker.rowsPerSecond, rssBytes: worker.rssBytes, peakRSSBytes: worker.peakRSSBytes)
            }
            let run = opened.ownership.run
            try await ledger.with { try $0.note(records, of: run) }
        case .left(let worker):
            let run = opened.ownership.run
            try await ledger.with { try $0.noteLeft(worker, of: run) }
        case .batchRows(let rows):
            let ownership = opened.ownership
            try await ledger.with { try $0.noteBatchRows(rows, ownership) }
        }
    }

    func carryOut(_ request: LedgerRequest) async throws {
        let ownership = opened.ownership
        switch request {
        case .recordLease(let shard, let worker, let epoch):
            let leased = try await ledger.lease(shard, to: worker, after: epoch, ownership)
            if let leased {
                react { $0.leaseRecorded(leased.lease, worker: worker, sequence: leased.sequence, now: $1) }
            } else {
                react { $0.leaseRefused(shard, worker: worker, now: $1) }
            }
        case .recordAttempt(let lease, let worker, let end, let attempts):
            let recorded = try await ledger.with {
                try $0.recordAttempt(
                    lease, worker: worker, outcome: end.outcome.rawValue, error: end.error, permanent: end.permanent,
                    attempts: attempts, ownership)
            }
            if end.outcome.countsAgainstShard {
                attemptsEnded.increment()
                notify(
                    .attemptEnded(lease.shard, end.error ?? end.outcome.rawValue, failed: recorded?.state == .failed))
            }
            if let recorded {
                react { $0.attemptRecorded(lease, state: recorded.state, failures: recorded.failures, now: $1) }
            } else {
                try await carryOut(.confirm(lease.shard))
            }
        case .confirm(let shard):
            let record = try await ledger.shard(shard, of: ownership.run)
            progress.shardRowsKnown(shard, rowsDone: record.rowsDone, by: record.owner)
            if record.state == .done { shardsDone.increment() }
            react { $0.shardRead(record, now: $1) }
        case .reload:
            let records = try await ledger.shards(of: ownership.run)
            for record in records { progress.shardRowsKnown(record.id, rowsDone: record.rowsDone) }
            react { $0.shardsLoaded(records, now: $1) }
        case .conclude:
            guard let counts = try await ledger.with({ try $0.conclude(ownership) }) else {
                return try await ownershipLost()
            }
            react {
                $0.runConcluded(
                    done: counts.done, failed: counts.failed, open: counts.pending + counts.running, now: $1)
            }
        }
    }

    /// Waits until the ledger can be reached again, then reads it anew.
    /// - Returns: false when the coordinator has ended meanwhile.
    func ledgerFailed(_ error: PostgresError) async -> Bool {
        queue.removeAll()
        machine.ledgerLost()
        guard error.recovery == .reconnect || error.recovery == .retry else {
            end(.failure(await reason(of: error)))
            return false
        }
        notify(.ledgerLost(error.description))
        noteAway(error)
        let lostAt = now
        var pause = Duration.milliseconds(100)
        while continuation != nil {
            let ownership = opened.ownership
            do {
                guard try await ledger.with({ try $0.renew(ownership, rowsPerSecond: 0) }) != nil else {
                    try await ownershipLost()
                    return false
                }
                progress.noted(nil, from: .database)
                queue.insert(.dispatch(.reload), at: 0)
                return true
            } catch let error as LedgerError {
                end(.failure(error))
                return false
            } catch {
                guard now - lostAt < configuration.ledgerPatience else {
                    end(.failure(CoordinatorError.ledgerAway(reason: "\(error)")))
                    return false
                }
                noteAway(error)
                // A cancelled task only shortens the pause.
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(2))
            }
        }
        return false
    }

    /// Why the database cannot be reached now, which may be another reason than that of the loss.
    private func noteAway(_ error: any Error) {
        let reason = "\(error)".split(whereSeparator: \.isNewline).joined(separator: "; ")
        progress.noted("the database is away, trying again: \(reason)", from: .database)
    }

    /// What the server refuses for good may follow from rows that are gone: that says more than a violated foreign key.
    private func reason(of error: PostgresError) async -> any Error {
        let ownership = opened.ownership
        do {
            _ = try await ledger.with { try $0.standing(ownership) }
        } catch let damage as LedgerError {
            return damage
        } catch {
            log.info("the run could not be looked up: \(error)")
        }
        return error
    }

    /// The run is not this process's any more. It may be cancelled, or this process may have ended it, in a commit whose
    /// answer was lost.
    func ownershipLost() async throws {
        // While this process gives the run back, it is nobody's.
        if isOver { return }
        let ownership = opened.ownership
        switch try await ledger.with({ try $0.standing(ownership) }) {
        case .owned:
            // Somebody changed the row and changed it back: whatever was refused is asked for again.
            log.info("the ledger refused this coordinator, and then did not")
            machine.ledgerLost()
            queue.append(.dispatch(.reload))
        case .cancelled: obeyCancel()
        case .ended(let counts): conclude(.concluded(done: counts.done, failed: counts.failed))
        case .taken: end(.failure(CoordinatorError.ousted))
        }
    }
}
