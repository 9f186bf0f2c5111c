import Dispatching
import Ledger
import LedgerQueueing
import Logging
import Report
import Sharding

// The ledger's answers, and the actions of the ledger's queue.
extension RunLeader {
    /// The ledger has answered the task under way.
    mutating func answered(_ answer: LedgerAnswer, now: Duration) -> [LeaderAction] {
        event(now) { leader in
            leader.reports.ledgerAnswered()
            if answer == .refused { return leader.reactToLedger { $0.refused() } }
            // Requests that follow from the answer are queued behind those that wait already.
            leader.take(answer)
            leader.reactToLedger { $0.answered() }
        }
    }

    /// The ledger says what has become of the run.
    mutating func standingRead(_ standing: LedgerStanding, now: Duration) -> [LeaderAction] {
        event(now) { leader in
            leader.emit(.log(.info, "asked what has become of the run: \(standing)"))
            leader.reactToLedger { $0.standingRead(standing) }
        }
    }

    /// The last request to the ledger has failed.
    mutating func failed(_ failure: LedgerFailure, now: Duration) -> [LeaderAction] {
        event(now) { leader in
            if failure.kind == .busy {
                leader.emit(.log(.info, "the ledger is busy: \(failure)"))
                leader.reports.ledgerMetLock(reason: failure.description, now: now)
            }
            leader.reactToLedger { $0.failed(failure, now: now) }
        }
    }

    /// A pause before the ledger is asked again is over.
    mutating func pauseEnded(now: Duration) -> [LeaderAction] {
        event(now) { leader in leader.reactToLedger { $0.pauseEnded() } }
    }

    /// The present figures, for tasks that write some.
    func figures(for task: LedgerTask, now: Duration) -> LedgerFigures {
        switch task {
        case .renew: LedgerFigures(rowsPerSecond: reports.report(now: now).rowsPerSecond)
        case .note:
            LedgerFigures(
                workers: reports.report(now: now).workers.map(\.record),
                measuredTable: now - measuredAt >= Self.measureInterval ? configuration.tableOID : nil)
        case .dispatch, .left, .batchRows, .release: LedgerFigures()
        }
    }

    /// The workers' figures for `coord status` after the end. The run's own state is written already.
    var lastFigures: [WorkerRecord] {
        reports.everyWorker.map { worker in
            var record = worker.record
            record.shard = nil
            record.rowsPerSecond = 0
            record.activity = ""
            return record
        }
    }

    mutating func perform(_ action: LedgerQueueAction) {
        switch action {
        case .ask(let task): emit(.ask(task))
        case .inquire: emit(.inquire)
        case .pause(let pause): emit(.pause(pause))
        case .endHolder(let shard): emit(.endHolder(shard))
        case .suspendDispatch: suspendDispatch()
        case .announceLoss(let failure): announceLoss(failure)
        case .noteAway(let failure): noteAway(failure)
        case .obeyCancel: obeyCancel()
        case .obeyPause(let who): obeyPauseThatIsDone(who)
        case .conclude(let done, let failed): conclude(.concluded(done: done, failed: failed))
        case .giveUp(.release, let failure): emit(.log(.error, "the run's state could not be written: \(failure)"))
        case .giveUp(let task, let failure): emit(.log(.info, "left undone at the end: \(task): \(failure)"))
        case .leave: released()
        case .stop(let stop): end(RunLeader.end(for: stop))
        }
    }

    private mutating func take(_ answer: LedgerAnswer) {
        switch answer {
        case .done, .refused: break
        case .noted(let reading): if let reading { take(reading) }
        case .renewed(let cancelAsked, let pausedBy, let pace):
            guard ending == .ahead else { return }
            obey(pace)
            if cancelAsked {
                reports.windDownBegan(.cancelling)
                react { $0.cancelRequested(now: $1) }
            } else if let pausedBy {
                obeyPause(pausedBy)
            }
        case .leaseRecorded(let lease, let worker, let sequence):
            react { $0.leaseRecorded(lease, worker: worker, sequence: sequence, now: $1) }
        case .leaseRefused(let shard, let worker): react { $0.leaseRefused(shard, worker: worker, now: $1) }
        case .attemptRecorded(let lease, let attempt, let state, let failures):
            // The ledger keeps only the error's text, and nothing of an end without an error.
            if attempt.error != nil { reports.attemptEnded(lease.shard, cause: attempt.cause) }
            announce(attempt, of: lease, failed: state == .failed)
            react { $0.attemptRecorded(lease, state: state, failures: failures, now: $1) }
        case .attemptVoid(let lease, let attempt, let record):
            // The end may have been recorded by a statement whose answer was lost: the shard has the lease's epoch then.
            if attempt.error != nil, record.epoch == lease.epoch {
                reports.attemptEnded(lease.shard, cause: attempt.cause)
            }
            announce(attempt, of: lease, failed: record.state == .failed)
            read(record)
        case .shardRead(let record): read(record)
        case .shardsLoaded(let records):
            for record in records { reports.shardRowsKnown(record.id, rowsDone: record.rowsDone) }
            react { $0.shardsLoaded(records, now: $1) }
        case .concluded(let counts):
            react { $0.runConcluded(done: counts.done, failed: counts.failed, open: counts.open, now: $1) }
        case .released(let state): if let state { written = state }
        }
    }

    private mutating func take(_ reading: StorageReading) {
        measuredAt = now
        switch reading {
        case .measured(let measure):
            reports.storageMeasured(measure, expectedHotShare: configuration.expectedHotShare, now: now)
        case .nothing: break
        case .failed(let reason): emit(.log(.info, "the table's storage was not measured: \(reason)"))
        }
    }

    private mutating func announce(_ attempt: AttemptEnd, of lease: Lease, failed: Bool) {
        guard attempt.outcome.countsAgainstShard else { return }
        let error = attempt.error ?? attempt.outcome.rawValue
        emit(.announce(.attemptEnded(lease.shard, error: error, cause: attempt.cause, failed: failed)))
    }

    private mutating func read(_ record: ShardRecord) {
        reports.shardRowsKnown(record.id, rowsDone: record.rowsDone, by: record.owner)
        react { $0.shardRead(record, now: $1) }
    }

    /// Somebody asked that the run be paused. Each renewal says so again, until the run is given back.
    private mutating func obeyPause(_ who: String) {
        guard !isPausing else { return }
        isPausing = true
        reports.windDownBegan(.pausing(by: who))
        emit(.announce(.pauseAsked(by: who)))
        react { $0.drainRequested(now: $1) }
    }

    /// The run was paused while the ledger was away, and its leases were taken back. The fence refuses the batches that workers
    /// still have in hand.
    private mutating func obeyPauseThatIsDone(_ who: String) {
        written = .paused
        obeyPause(who)
        conclude(.drained)
    }

    /// The run was cancelled, and its leases were taken back. The fence refuses the batches that workers still have in
    /// hand.
    private mutating func obeyCancel() {
        written = .cancelled
        reports.windDownBegan(.cancelled)
        // Without this the machine would wait for batches that cannot commit.
        react { $0.cancelRequested(now: $1) }
        conclude(.cancelled)
    }

    /// Reports why the database cannot be reached now. The reason may differ from that of the loss.
    private mutating func noteAway(_ failure: LedgerFailure?) {
        guard let failure else { return reports.databaseFound() }
        reports.databaseLost(reason: failure.description, isReadOnly: failure.isReadOnly, now: now)
    }

    private mutating func announceLoss(_ failure: LedgerFailure) {
        let reason = failure.description
        emit(.announce(failure.isReadOnly ? .databaseReadOnly(reason: reason) : .databaseLost(reason: reason)))
    }

    private static func end(for stop: LedgerStop) -> End {
        switch stop {
        case .ousted: .stopped(.ousted)
        case .away(let failure) where failure.isReadOnly: .stopped(.ledgerReadOnly(reason: failure.description))
        case .away(let failure): .stopped(.ledgerAway(reason: failure.description))
        case .failed(let failure): .failed(failure)
        }
    }
}
