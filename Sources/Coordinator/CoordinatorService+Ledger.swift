import Dispatching
import Job
import Ledger
import LedgerQueueing
import Logging
import Metrics
import Postgres
import Progress
import Sharding

// What the ledger's queue says.
extension CoordinatorService {
    func enqueue(_ task: LedgerTask) { reactToLedger { $0.requested(task) } }

    func reactToLedger(_ event: (inout LedgerQueueStateMachine) -> [LedgerQueueAction]) {
        for action in event(&queue) { perform(action) }
    }

    private func perform(_ action: LedgerQueueAction) {
        switch action {
        case .ask(let task): Task { await ask(task) }
        case .inquire: Task { await inquire() }
        case .pause(let pause):
            Task {
                // A cancelled task only shortens the pause.
                try? await Task.sleep(for: pause)
                reactToLedger { $0.pauseEnded() }
            }
        case .endHolder(let shard): Task { await endHolder(of: shard) }
        case .suspendDispatch: machine.ledgerLost()
        case .announceLoss(let failure): notify(.ledgerLost(failure.description))
        case .noteAway(let failure): noteAway(failure)
        case .obeyCancel: obeyCancel()
        case .conclude(let done, let failed): conclude(.concluded(done: done, failed: failed))
        case .giveUp(.release, let failure): log.error("the run's state could not be written: \(failure)")
        case .giveUp(let task, let failure): log.info("left undone at the end: \(task): \(failure)")
        case .leave: leave()
        case .stop(let stop): end(.failure(reason(of: stop)))
        }
    }

    private func ask(_ task: LedgerTask) async {
        do {
            let isOurs = try await carryOut(task)
            reactToLedger { isOurs ? $0.answered() : $0.refused() }
        } catch {
            failed(error)
        }
    }

    /// The run is not this process's any more. It may be cancelled, or this process may have ended it, in a commit whose
    /// answer was lost.
    private func inquire() async {
        let ownership = opened.ownership
        do {
            let standing: LedgerStanding =
                switch try await ledger.with({ try $0.standing(ownership) }) {
                case .owned: .owned
                case .cancelled: .cancelled
                case .ended(let counts): .ended(done: counts.done, failed: counts.failed)
                case .taken: .taken
                }
            log.info("asked what has become of the run: \(standing)")
            reactToLedger { $0.standingRead(standing) }
        } catch {
            failed(error)
        }
    }

    private func failed(_ error: any Error) {
        let failure = LedgerFailure(error)
        if failure.kind == .busy { log.info("the ledger is busy: \(error)") }
        let now = now
        reactToLedger { $0.failed(failure, now: now) }
    }

    /// The row of a shard that is to be leased is locked: its last worker's session may be stuck in a statement.
    private func endHolder(of shard: ShardID) async {
        let run = opened.ownership.run
        do {
            try await ledger.with { try $0.terminateHolder(of: shard, run: run) }
        } catch {
            // This role may not end that session; its statement timeout will.
            log.info("the session that holds shard \(shard) could not be ended: \(error)")
        }
    }

    /// Why the database cannot be reached now, which may be another reason than that of the loss.
    private func noteAway(_ failure: LedgerFailure?) {
        let reason = failure?.description.split(whereSeparator: \.isNewline).joined(separator: "; ")
        progress.noted(reason.map { "the database is away, trying again: \($0)" }, from: .database)
    }

    private func reason(of stop: LedgerStop) -> any Error {
        switch stop {
        case .ousted: CoordinatorError.ousted
        case .away(let failure): CoordinatorError.ledgerAway(reason: failure.description)
        case .failed(let failure): failure.error
        }
    }
}

// The tasks, each on the ledger's thread.
extension CoordinatorService {
    /// - Returns: false where the run is not this coordinator's any more.
    private func carryOut(_ task: LedgerTask) async throws -> Bool {
        let ownership = opened.ownership
        switch task {
        case .dispatch(let request): return try await carryOut(request)
        case .renew:
            let rate = snapshot().rowsPerSecond
            let answer = try await ledger.with { try $0.renew(ownership, rowsPerSecond: rate) }
            guard let renewal = answer else { return false }
            if renewal.cancelAsked, ending == .ahead {
                progress.noted("cancelling: each worker finishes its batch", from: .draining)
                react { $0.cancelRequested(now: $1) }
            }
        case .note:
            let records = progress.snapshot(now: now).workers.map { WorkerRecord($0) }
            try await ledger.with { try $0.note(records, of: ownership.run) }
        case .left(let worker): try await ledger.with { try $0.noteLeft(worker, of: ownership.run) }
        case .batchRows(let rows): try await ledger.with { try $0.noteBatchRows(rows, ownership) }
        case .release(let cancelled):
            let released = try await ledger.with { try $0.release(ownership, as: cancelled ? .cancelled : .paused) }
            if let released { written = released }
        }
        return true
    }

    private func carryOut(_ request: LedgerRequest) async throws -> Bool {
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
            guard let recorded else { return try await carryOut(.confirm(lease.shard)) }
            react { $0.attemptRecorded(lease, state: recorded.state, failures: recorded.failures, now: $1) }
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
            guard let counts = try await ledger.with({ try $0.conclude(ownership) }) else { return false }
            react {
                $0.runConcluded(
                    done: counts.done, failed: counts.failed, open: counts.pending + counts.running, now: $1)
            }
        }
        return true
    }
}

extension LedgerFailure {
    fileprivate init(_ error: any Error) {
        let kind: Kind =
            switch (error as? PostgresError)?.recovery {
            case .retry: .busy
            case .reconnect: .away
            case .authorize, .permanent: .lasting
            case nil: .damage
            }
        self.init(kind, error)
    }
}
