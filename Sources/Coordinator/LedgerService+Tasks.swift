import Dispatching
import Ledger
import LedgerQueueing
import Postgres
import Sharding

// The coordinator's requests to the ledger, each on the ledger's thread.
extension LedgerService {
    /// - Parameter figures: for the tasks that write figures.
    func perform(_ task: LedgerTask, _ ownership: Ownership, figures: LedgerFigures) throws -> LedgerAnswer {
        switch task {
        case .dispatch(let request): return try perform(request, ownership)
        case .renew:
            let renewal = try with { try $0.renew(ownership, rowsPerSecond: figures.rowsPerSecond) }
            return renewal.map { .renewed(cancelAsked: $0.cancelAsked, pausedBy: $0.pausedBy, pace: $0.pace) }
                ?? .refused
        case .note:
            try with { try $0.note(figures.workers, of: ownership.run) }
            return .noted(
                try figures.measuredTable.map { oid in
                    try with { try $0.measureStorage(ownership, tableOID: oid) }
                })
        case .left(let worker): try with { try $0.noteLeft(worker, of: ownership.run) }
        case .batchRows(let rows): try with { try $0.noteBatchRows(rows, ownership) }
        case .release(let cancelled):
            return .released(try with { try $0.release(ownership, as: cancelled ? .cancelled : .paused) })
        }
        return .done
    }

    private func perform(_ request: LedgerRequest, _ ownership: Ownership) throws -> LedgerAnswer {
        switch request {
        case .recordLease(let shard, let worker, let epoch):
            guard let leased = try lease(shard, to: worker, after: epoch, ownership) else {
                return .leaseRefused(shard, worker: worker)
            }
            return .leaseRecorded(leased.lease, worker: worker, sequence: leased.sequence)
        case .recordAttempt(let lease, let worker, let end, let attempts):
            let recorded = try with {
                try $0.recordAttempt(
                    lease, worker: worker, outcome: end.outcome.rawValue, error: end.error, permanent: end.permanent,
                    attempts: attempts, ownership)
            }
            guard let recorded else { return .attemptVoid(lease, end, try shard(lease.shard, of: ownership.run)) }
            return .attemptRecorded(lease, end, state: recorded.state, failures: recorded.failures)
        case .confirm(let id): return .shardRead(try shard(id, of: ownership.run))
        case .reload: return .shardsLoaded(try shards(of: ownership.run))
        case .conclude: return try with { try $0.conclude(ownership) }.map { .concluded($0) } ?? .refused
        }
    }

    /// What has become of a run for which the ledger refuses this coordinator. The run may be cancelled, or this
    /// process may have ended it in a commit whose answer was lost.
    func standing(_ ownership: Ownership) throws -> LedgerStanding {
        switch try with({ try $0.standing(ownership) }) {
        case .owned: .owned
        case .cancelled: .cancelled
        case .paused(let who): .paused(by: who)
        case .ended(let counts): .ended(done: counts.done, failed: counts.failed)
        case .taken: .taken
        }
    }
}

extension LedgerFailure {
    init(_ error: any Error) {
        let kind: Kind =
            switch (error as? PostgresError)?.recovery {
            case .retry: .busy
            case .reconnect: .away
            case .authorize, .permanent: .lasting
            case nil: .damage
            }
        self.init(kind, error, isReadOnly: (error as? PostgresError)?.isReadOnly == true)
    }
}
