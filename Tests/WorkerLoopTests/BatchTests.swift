import Sharding
import Testing

@testable import WorkerLoop

@Suite struct BatchTests {
    @Test func setBasedShardIsAdvancedBatchByBatchToItsEnd() {
        var machine = WorkerLoopStateMachine.joined(.setBased)
        #expect(machine.leaseAssigned(lease(3), now: .zero) == [.step(.open(lease(3)))])
        // A shard that an earlier lease has begun continues where that lease stopped.
        #expect(
            machine.leaseOpened(position(5, sequence: 2, rows: 5), now: .zero)
                == [.step(.apply(lease(3), position(5, sequence: 2, rows: 5)))])
        #expect(machine.held == HeldLease(lease: lease(3), sequence: 2, rowsDone: 5))
        let next = position(9, sequence: 3, rows: 9)
        #expect(machine.batchCommitted(next, done: false, read: nil, now: .zero) == [.step(.apply(lease(3), next))])
        #expect(machine.held == HeldLease(lease: lease(3), sequence: 3, rowsDone: 9))
        let last = position(12, sequence: 4, rows: 11)
        #expect(
            machine.batchCommitted(last, done: true, read: nil, now: .zero)
                == [.tell(.shardDone(lease(3)))])
        #expect(machine.activity == .idle)
        #expect(machine.held == nil)
    }

    @Test func rowBasedShardIsReadComputedAndWrittenWithTheNextReadInOneRoundTrip() {
        var machine = WorkerLoopStateMachine.joined(.rowBased)
        _ = machine.leaseAssigned(lease(3), now: .zero)
        #expect(
            machine.leaseOpened(position(nil), now: .zero) == [.step(.read(lease(3), position(nil), locking: false))])
        #expect(machine.batchRead(summary(3), now: .zero) == [.step(.compute)])
        #expect(machine.activity == .computing(summary(3)))
        #expect(machine.batchComputed(now: .zero) == [.step(.write(lease(3), position(nil), readNext: true))])
        let first = position(10, sequence: 1, rows: 3)
        let rest = summary(2, exhausted: true)
        #expect(machine.batchCommitted(first, done: false, read: rest, now: .zero) == [.step(.compute)])
        #expect(machine.activity == .computing(rest))
        // Nothing lies behind an exhausted range, so no further read is asked for.
        #expect(machine.batchComputed(now: .zero) == [.step(.write(lease(3), first, readNext: false))])
        #expect(
            machine.batchCommitted(position(20, sequence: 2, rows: 5), done: true, read: nil, now: .zero)
                == [.tell(.shardDone(lease(3)))])
    }

    @Test func readThatCameWithTheLastWriteIsThrownAway() {
        var machine = WorkerLoopStateMachine.amid(.writing)
        #expect(
            machine.batchCommitted(position(10, sequence: 1, rows: 3), done: true, read: summary(0), now: .zero)
                == [.step(.discard), .tell(.shardDone(lease(3)))])
    }

    @Test func deferredRowsAreReadAgainWithoutALockAtFirst() {
        var machine = WorkerLoopStateMachine.amid(.writing)
        let left = position(10, sequence: 1, rows: 2, deferred: [7])
        #expect(
            machine.batchCommitted(left, done: false, read: nil, now: .zero)
                == [.step(.read(lease(3), left, locking: false))])
    }

    @Test func rowsThatAreDeferredTooOftenAreReadUnderALock() {
        var machine = WorkerLoopStateMachine.amid(.writing)
        let once = position(10, sequence: 1, deferred: [7])
        #expect(machine.batchCommitted(once, done: false, read: summary(3), now: .zero) == [.step(.compute)])
        #expect(machine.batchComputed(now: .zero) == [.step(.write(lease(3), once, readNext: true))])
        let twice = position(20, sequence: 2, deferred: [7, 12])
        // This read was asked for before the second deferral, so its rows are used first.
        #expect(machine.batchCommitted(twice, done: false, read: summary(3), now: .zero) == [.step(.compute)])
        // No read may share this round trip, since the next read opens its own transaction.
        #expect(machine.batchComputed(now: .zero) == [.step(.write(lease(3), twice, readNext: false))])
        let thrice = position(30, sequence: 3, deferred: [7, 12])
        #expect(
            machine.batchCommitted(thrice, done: false, read: nil, now: .zero)
                == [.step(.read(lease(3), thrice, locking: true))])
        _ = machine.batchRead(summary(2), now: .zero)
        _ = machine.batchComputed(now: .zero)
        let clear = position(30, sequence: 4)
        #expect(
            machine.batchCommitted(clear, done: false, read: nil, now: .zero)
                == [.step(.read(lease(3), clear, locking: false))])
    }

    @Test func rowsThatAreDeferredOneAfterAnotherAreNeverReadUnderALock() {
        var machine = WorkerLoopStateMachine.amid(.writing)
        for key in 1...20 {
            let left = position(100, sequence: Int64(key), deferred: [key])
            #expect(
                machine.batchCommitted(left, done: false, read: nil, now: .zero)
                    == [.step(.read(lease(3), left, locking: false))])
            _ = machine.batchRead(summary(1), now: .zero)
            #expect(machine.batchComputed(now: .zero) == [.step(.write(lease(3), left, readNext: true))])
        }
    }

    @Test func rowsThatTheLedgerDoesNotListAnyMoreAreNotReadUnderALock() {
        var machine = WorkerLoopStateMachine.amid(.writing)
        _ = machine.batchCommitted(position(10, sequence: 1, deferred: [7]), done: false, read: nil, now: .zero)
        _ = machine.batchRead(summary(1), now: .zero)
        _ = machine.batchComputed(now: .zero)
        // The batch commits, but its answer is lost.
        _ = machine.batchCommitted(position(10, sequence: 2, deferred: [7]), done: false, read: nil, now: .zero)
        _ = machine.stepFailed(StepError(.connectionLost, "gone"), now: .zero)
        _ = machine.timePassed(now: .seconds(60))
        let clear = position(10, sequence: 3)
        #expect(machine.leaseOpened(clear, now: .seconds(60)) == [.step(.read(lease(3), clear, locking: false))])
    }

    @Test func deferralsOfAnEarlierLeaseAreNotCountedAgainstThisOne() {
        var machine = WorkerLoopStateMachine.joined(.rowBased)
        _ = machine.leaseAssigned(lease(3), now: .zero)
        let inherited = position(10, sequence: 9, deferred: [7])
        #expect(machine.leaseOpened(inherited, now: .zero) == [.step(.read(lease(3), inherited, locking: false))])
    }

    /// Answers that no step waits for, because they belong to an older session or are repeated.
    @Test(arguments: [nil] + Step.allCases.map { Optional($0) })
    func answersThatNoStepWaitsForChangeNothing(under: Step?) {
        var machine = under.map { WorkerLoopStateMachine.amid($0) } ?? .joined(.rowBased)
        let activity = machine.activity
        if under != .opening { #expect(machine.leaseOpened(position(1, sequence: 8), now: .zero) == []) }
        if under != .reading { #expect(machine.batchRead(summary(1), now: .zero) == []) }
        if under != .computing { #expect(machine.batchComputed(now: .zero) == []) }
        if under != .applying, under != .writing {
            #expect(machine.batchCommitted(position(1), done: true, read: nil, now: .zero) == [])
        }
        if under == nil { #expect(machine.stepFailed(StepError(.permanent, "late"), now: .zero) == []) }
        #expect(machine.activity == activity)
    }
}
