import Logging
import Sharding
import Synchronization
import WorkerLoop

// What the socket loop's thread and the batches' thread share. A batch that follows on another costs no change of
// threads: the batches' thread tells the machine itself how the step ended, and takes the next one from it.
extension WorkerService {
    typealias Event = (inout WorkerLoopStateMachine, Duration) -> [WorkerAction]

    /// The machine, and what it asked the actor to do, in the order in which it did.
    struct Shared: Sendable {
        /// Nil until the run is known, and once this worker has ended.
        var machine: WorkerLoopStateMachine?
        var outbox: [WorkerAction] = []

        mutating func react(_ event: Event, now: Duration) -> [WorkerAction] {
            guard machine != nil else { return [] }
            let actions = event(&machine!, now)
            machine!.assertInvariants()
            return actions
        }
    }

    /// Lets an event of the socket loop's thread change the machine, and does what follows. The time is read under the lock,
    /// so that it never goes back for the machine.
    func react(_ event: Event) {
        shared.withLock { shared in
            let actions = shared.react(event, now: now)
            shared.outbox += actions
        }
        emptyOutbox()
    }

    /// Takes what the machine asked for, in the order in which it did, whichever thread made it ask.
    private func emptyOutbox() {
        let actions = shared.withLock { shared in
            defer { shared.outbox.removeAll() }
            return shared.outbox
        }
        for action in actions { perform(action) }
    }

    /// Carries out a step and all that follow from it, on the runner's thread.
    func carryOut(_ first: WorkerStep, _ runner: isolated BatchRunner) {
        var steps = [first]
        while !steps.isEmpty {
            steps = steps.flatMap { outcome(of: $0, runner) }
            if shared.withLock({ !$0.outbox.isEmpty }) { Task { await emptyOutbox() } }
        }
    }

    /// Lets a step's end change the machine, and returns the steps that follow; the rest is the actor's to do.
    private nonisolated func steps(after event: Event) -> [WorkerStep] {
        shared.withLock { shared in
            var steps: [WorkerStep] = []
            for action in shared.react(event, now: now) {
                switch action {
                case .step(let step): steps.append(step)
                case .tell, .reconnect, .stop: shared.outbox.append(action)
                }
            }
            return steps
        }
    }

    private func outcome(of step: WorkerStep, _ runner: isolated BatchRunner) -> [WorkerStep] {
        do {
            switch step {
            case .open(let lease, let batchRows):
                let position = try runner.open(lease, batchRows: batchRows)
                return steps { $0.leaseOpened(position, now: $1) }
            case .apply(let lease, let position):
                let result = try runner.apply(lease, position)
                return steps { $0.batchCommitted(result.position, done: result.done, read: nil, now: $1) }
            case .read(let lease, let position, let locking):
                let summary = try runner.read(lease, position, locking: locking)
                return steps { $0.batchRead(summary, now: $1) }
            case .compute:
                try runner.computeBatch()
                return steps { $0.batchComputed(now: $1) }
            case .write(let lease, let position, let readNext):
                let result = try runner.write(lease, position, readNext: readNext)
                return steps { $0.batchCommitted(result.position, done: result.done, read: result.read, now: $1) }
            case .discard:
                runner.discard()
                return []
            }
        } catch {
            let failure = error as? StepError ?? StepError(error)
            log.info("a step failed (\(failure.kind.rawValue)): \(failure.message)")
            return steps { $0.stepFailed(failure, now: $1) }
        }
    }
}
