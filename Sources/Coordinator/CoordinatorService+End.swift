import Dispatching
import Ledger
import LedgerQueueing
import Logging
import Progress
import Sharding
import Wire
import ZeroMQ

// From the machine's last action to the end of the service.
extension CoordinatorService {
    func conclude(_ result: DispatchOutcome) {
        let reason: CoordinatorError? = if case .stopped(let reason) = result { .cannotGoOn(reason) } else { nil }
        guard ending.begun(reason, now: now) else { return }
        for address in peers.addresses { send(.drain, to: address) }
        // Written with the last shard, by the ledger's own count.
        if case .concluded(let done, let failed) = result {
            written = failed == 0 ? .complete : done > 0 ? .partial : .failed
        }
        reactToLedger { $0.runEnded(result) }
    }

    func leave() {
        ending.released()
        finishTick(now)
    }

    /// The run was cancelled, and its leases were taken back: whatever workers still have in hand the fence refuses.
    func obeyCancel() {
        written = .cancelled
        progress.noted("cancelled: the workers leave", from: .draining)
        // The machine would wait for batches that cannot commit.
        react { $0.cancelRequested(now: $1) }
        conclude(.cancelled)
    }

    /// Workers leave by themselves; the ones that do not are ended. Meanwhile their last figures are written.
    func finishTick(_ now: Duration) {
        guard let since = ending.since else { return }
        // The database may be away.
        if case .releasing = ending { return show(now) }
        reapLocalWorkers()
        let processesAreGone = local?.children.isEmpty ?? true
        // A worker that has not read its farewell when the connection closes would never read it, and look for a
        // coordinator for minutes.
        let areGone = processesAreGone && !peers.hasForeign(within: configuration.leaseDuration, of: since)
        switch ending.workersLookedAfter(haveSaidGoodbye: peers.isEmpty, areGone: areGone, now: now) {
        case .writeFigures: writeLastFigures()
        case .end(let error): end(error.map { .failure($0) } ?? .success(()))
        case nil: break
        }
    }

    /// For `coord status` after the end; the run's own state is written already.
    private func writeLastFigures() {
        let records = progress.peaks.map { worker in
            var record = WorkerRecord(worker)
            record.shard = nil
            record.rowsPerSecond = 0
            return record
        }
        let run = opened.ownership.run
        Task {
            do {
                try await ledger.with { try $0.noteEnd(records, of: run) }
            } catch {
                log.warning("the workers' last figures could not be written: \(error)")
            }
            ending.figuresWritten()
            finishTick(self.now)
        }
    }
}
