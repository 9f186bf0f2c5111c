import Dispatching
import Sharding

@testable import LedgerQueueing

let alice = WorkerID("alice")

struct Fault: Error, CustomStringConvertible {
    var description: String
}

func failure(_ kind: LedgerFailure.Kind, _ text: String = "it failed") -> LedgerFailure {
    LedgerFailure(kind, Fault(description: text))
}

func confirm(_ shard: Int32) -> LedgerTask { .dispatch(.confirm(ShardID(shard))) }

/// The task that records the failure of an attempt on the shard.
func attempt(_ shard: Int32) -> LedgerTask {
    let lease = Lease(shard: ShardID(shard), epoch: Epoch(1))
    return .dispatch(.recordAttempt(lease, worker: alice, AttemptEnd(.failed, error: "it fails"), attempts: 3))
}

let reload = LedgerTask.dispatch(.reload)

extension LedgerQueueStateMachine {
    /// A machine that has asked for the first of `tasks`.
    static func asking(_ tasks: LedgerTask...) -> Self {
        var queue = Self()
        for task in tasks { _ = queue.requested(task) }
        return queue
    }

    /// A machine whose connection broke while it did the first of `tasks`.
    static func lost(_ tasks: LedgerTask..., now: Duration = .zero) -> Self {
        var queue = Self()
        for task in tasks { _ = queue.requested(task) }
        _ = queue.failed(failure(.away), now: now)
        return queue
    }
}
