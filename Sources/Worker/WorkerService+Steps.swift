import Logging
import Sharding
import Synchronization
import WorkerLoop

// What the socket loop's thread and the batches' thread share. A batch that follows on another costs no change of
// threads: the batches' thread tells the machine itself how the step ended, and takes the next one from it.
extension WorkerService {
    /// The machine, and what it asked the actor to do, in the order in which it did.
    struct Shared: Sendable {
        /// Nil until the run is known, and once this worker has ended.
        var machine: WorkerLoopStateMachine?
        var outbox: [WorkerAction] = []
    }

    /// Lets an event change the machine, and returns the steps that follow; the rest goes to the outbox, whose owner is
    /// the actor. The time is read under the lock, so that it never goes back for the machine.
    nonisolated func transition(_ event: (inout WorkerLoopStateMachine, Duration) -> [WorkerAction]) -> [WorkerAction] {
        shared.withLock { shared in
            guard shared.machine != nil else { return [] }
            let actions = event(&shared.machine!, now)
            shared.outbox += actions.filter { !$0.isStep }
            return actions.filter(\.isStep)
        }
    }

    /// Takes what the machine asked for, in the order in which it did, whichever thread made it ask.
    func emptyOutbox() {
        let actions = shared.withLock { shared in
            defer { shared.outbox.removeAll() }
            return shared.outbox
        }
        for action in actions { perform(action) }
    }

    /// Carries out a step and all that follow from it, on the runner's thread.
    func carryOut(_ first: WorkerAction, _ runner: isolated BatchRunner) {
        var steps = [first]
        while !steps.isEmpty {
            steps = steps.flatMap { outcome(of: $0, runner) }
            if shared.withLock({ !$0.outbox.isEmpty }) { Task { await emptyOutbox() } }
        }
    }

    private func outcome(of step: WorkerAction, _ runner: isolated BatchRunner) -> [WorkerAction] {
        do {
            switch step {
            case .openLease(let lease, let batchRows):
                let position = try runner.open(lease, batchRows: batchRows)
                return transition { $0.leaseOpened(position, now: $1) }
            case .apply(let lease, let position):
                let result = try runner.apply(lease, position)
                return transition { $0.batchCommitted(result.position, done: result.done, read: nil, now: $1) }
            case .read(let lease, let position, let locking):
                let summary = try runner.read(lease, position, locking: locking)
                return transition { $0.batchRead(summary, now: $1) }
            case .compute:
                try runner.computeBatch()
                return transition { $0.batchComputed(now: $1) }
            case .write(let lease, let position, let readNext):
                let result = try runner.write(lease, position, readNext: readNext)
                return transition { $0.batchCommitted(result.position, done: result.done, read: result.read, now: $1) }
            case .discard:
                runner.discard()
                return []
            default: preconditionFailure("\(step) is no step")
            }
        } catch {
            let failure = error as? StepError ?? StepError(error)
            log.info("a step failed (\(failure.kind.rawValue)): \(failure.message)")
            return transition { $0.stepFailed(failure, now: $1) }
        }
    }
}
