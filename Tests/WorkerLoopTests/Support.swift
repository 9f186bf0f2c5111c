import Sharding
import Testing

@testable import WorkerLoop

func lease(_ shard: Int32, _ epoch: Int64 = 1) -> Lease { Lease(shard: ShardID(shard), epoch: Epoch(epoch)) }

func position(_ checkpoint: Int?, sequence: Int64 = 0, rows: Int64 = 0, deferred: [Int] = []) -> Position {
    Position(
        Cursor(checkpoint.map { Key(String($0)) }), deferred: deferred.map { Key(String($0)) },
        sequence: sequence, rowsDone: rows)
}

func summary(_ rows: Int, exhausted: Bool = false) -> ReadSummary {
    ReadSummary(rows: rows, exhausted: exhausted)
}

/// The activities with a step under way, for tests that cover each of them.
enum Step: String, CaseIterable, Sendable {
    case opening, applying, reading, computing, writing

    var mode: WorkerLoopStateMachine.Mode { self == .applying ? .setBased : .rowBased }

    /// The actions that discard the step's unwanted result. A set job has no rows in memory.
    var discarded: [WorkerAction] { mode == .setBased ? [] : [.step(.discard)] }

    /// Ends the step successfully at `now`.
    func succeed(_ machine: inout WorkerLoopStateMachine, now: Duration) -> [WorkerAction] {
        switch self {
        case .opening: machine.leaseOpened(position(nil), now: now)
        case .reading: machine.batchRead(summary(3), now: now)
        case .computing: machine.batchComputed(now: now)
        case .applying, .writing:
            machine.batchCommitted(position(10, sequence: 1, rows: 3), done: false, read: nil, now: now)
        }
    }
}

extension WorkerLoopStateMachine {
    static func limits(_ mode: Mode) -> Configuration {
        Configuration(
            mode: mode, retry: RetryPolicy(attempts: 3, backoff: .seconds(1), maxBackoff: .seconds(8)),
            heartbeatInterval: .seconds(1), silentAfter: .seconds(10), giveUpAfter: .seconds(60), deferralLimit: 2)
    }

    /// A worker that has joined and is idle.
    static func joined(_ mode: Mode) -> WorkerLoopStateMachine {
        var machine = WorkerLoopStateMachine(configuration: limits(mode), seed: 1)
        _ = machine.started(now: .zero)
        _ = machine.welcomed(now: .zero)
        return machine
    }

    /// A worker that is in the middle of `step` on shard 3 under epoch 1.
    static func amid(_ step: Step, mode: Mode? = nil) -> WorkerLoopStateMachine {
        var machine = joined(mode ?? step.mode)
        _ = machine.leaseAssigned(lease(3), now: .zero)
        if step == .opening { return machine }
        _ = machine.leaseOpened(position(nil), now: .zero)
        if step == .applying || step == .reading { return machine }
        _ = machine.batchRead(summary(3), now: .zero)
        if step == .computing { return machine }
        _ = machine.batchComputed(now: .zero)
        return machine
    }
}
