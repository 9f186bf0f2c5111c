import Sharding
import Testing

@testable import WorkerLoop

/// A worker that writes only in its turns.
@Suite struct TurnTests {
    private static let wanted = WorkerAction.tell(.turnWanted)
    private static let ended = WorkerAction.tell(.turnEnded)

    private static func machine(_ mode: WorkerLoopStateMachine.Mode) -> WorkerLoopStateMachine {
        var limits = WorkerLoopStateMachine.limits(mode)
        limits.turnTaking = .forSpeed
        var machine = WorkerLoopStateMachine(configuration: limits, seed: 1)
        _ = machine.started(now: .zero)
        _ = machine.welcomed(now: .zero)
        _ = machine.leaseAssigned(lease(3), now: .zero)
        return machine
    }

    /// A worker whose batch waits for its turn.
    private static func queued(_ mode: WorkerLoopStateMachine.Mode) -> WorkerLoopStateMachine {
        var machine = machine(mode)
        _ = machine.leaseOpened(position(nil), now: .zero)
        if mode == .rowBased {
            _ = machine.batchRead(summary(3), now: .zero)
            _ = machine.batchComputed(now: .zero)
        }
        return machine
    }

    private static func first(_ mode: WorkerLoopStateMachine.Mode) -> WorkerAction {
        .step(mode == .setBased ? .apply(lease(3), position(nil)) : .write(lease(3), position(nil), readNext: true))
    }

    static let modes: [WorkerLoopStateMachine.Mode] = [.setBased, .rowBased]

    @Test func setBatchesFollowEachOtherUntilTheTurnIsOver() {
        var machine = Self.machine(.setBased)
        #expect(machine.leaseOpened(position(nil), now: .zero) == [Self.wanted])
        #expect(machine.step == "queued" && machine.checkInvariants() == nil)
        #expect(machine.turnGranted(for: .milliseconds(20), now: .seconds(1)) == [Self.first(.setBased)])
        let one = position(5, sequence: 1, rows: 5)
        #expect(
            machine.batchCommitted(one, done: false, read: nil, now: .milliseconds(1019))
                == [.step(.apply(lease(3), one))])
        let two = position(9, sequence: 2, rows: 9)
        #expect(machine.batchCommitted(two, done: false, read: nil, now: .milliseconds(1020)) == [Self.wanted])
        #expect(machine.turnGranted(for: .milliseconds(20), now: .seconds(2)) == [.step(.apply(lease(3), two))])
        let last = position(12, sequence: 3, rows: 12)
        #expect(
            machine.batchCommitted(last, done: true, read: nil, now: .seconds(2))
                == [.tell(.shardDone(lease(3))), Self.ended])
        #expect(machine.checkInvariants() == nil)
    }

    @Test func batchIsReadAndComputedWithoutATurnAndWaitsToBeWritten() {
        var machine = Self.machine(.rowBased)
        #expect(
            machine.leaseOpened(position(nil), now: .zero) == [.step(.read(lease(3), position(nil), locking: false))])
        #expect(machine.batchRead(summary(3), now: .zero) == [.step(.compute)])
        #expect(machine.batchComputed(now: .seconds(1)) == [Self.wanted])
        #expect(machine.turnGranted(for: .milliseconds(20), now: .seconds(1)) == [Self.first(.rowBased)])
        // A program that takes long gives its turn to others meanwhile.
        let one = position(5, sequence: 1, rows: 3)
        #expect(
            machine.batchCommitted(one, done: false, read: summary(2), now: .seconds(1)) == [
                Self.ended, .step(.compute),
            ])
        #expect(machine.batchComputed(now: .milliseconds(1005)) == [Self.wanted])
        #expect(machine.checkInvariants() == nil)
    }

    @Test func turnLastsOverAQuickComputation() {
        var machine = Self.queued(.rowBased)
        _ = machine.turnGranted(for: .milliseconds(20), now: .zero)
        let one = position(5, sequence: 1, rows: 3)
        #expect(
            machine.batchCommitted(one, done: false, read: summary(2), now: .milliseconds(3)) == [.step(.compute)])
        #expect(
            machine.batchComputed(now: .milliseconds(4)) == [.step(.write(lease(3), one, readNext: true))])
    }

    @Test(arguments: modes) func withoutAnAnswerTheBatchGoesOn(mode: WorkerLoopStateMachine.Mode) {
        var machine = Self.queued(mode)
        machine.heard(now: .seconds(8))
        #expect(!machine.timePassed(now: .seconds(10)).contains(Self.first(mode)))
        let actions = machine.timePassed(now: .seconds(10) + .milliseconds(1))
        #expect(actions.contains(Self.first(mode)) && actions.contains(Self.ended))
        // The answer comes too late.
        #expect(machine.turnGranted(for: .seconds(1), now: .seconds(11)) == [])
        #expect(machine.checkInvariants() == nil)
    }

    @Test(arguments: modes) func withoutACoordinatorTheBatchGoesOnSoon(mode: WorkerLoopStateMachine.Mode) {
        var machine = Self.queued(mode)
        #expect(!machine.timePassed(now: .seconds(3)).contains(Self.first(mode)))
        #expect(machine.timePassed(now: .milliseconds(3001)).contains(Self.first(mode)))
    }

    @Test func coordinatorThatHasForgottenTheWorkerIsAskedAgain() {
        var machine = Self.queued(.setBased)
        _ = machine.rejoinRequested(now: .seconds(1))
        #expect(machine.welcomed(now: .seconds(1)).contains(Self.wanted))
    }

    @Test(arguments: modes) func revokedLeaseIsPutDownAtOnce(mode: WorkerLoopStateMachine.Mode) {
        var machine = Self.queued(mode)
        let discard: [WorkerAction] = mode == .rowBased ? [.step(.discard)] : []
        #expect(machine.leaseRevoked(lease(3), now: .zero) == discard + [Self.ended])
        #expect(machine.activity == .idle && machine.checkInvariants() == nil)
    }

    @Test(arguments: modes) func newerLeaseOfTheShardReplacesTheOneThatWaits(mode: WorkerLoopStateMachine.Mode) {
        var machine = Self.queued(mode)
        let actions = machine.leaseAssigned(lease(3, 2), now: .zero)
        #expect(actions.suffix(2) == [Self.ended, .step(.open(lease(3, 2)))])
        #expect(machine.checkInvariants() == nil)
    }

    /// What is computed is written. A set batch has not begun.
    @Test func drainDoesNotWaitForATurn() {
        var rows = Self.queued(.rowBased)
        #expect(rows.drainRequested(now: .zero) == [Self.ended, Self.first(.rowBased)])
        var set = Self.queued(.setBased)
        #expect(
            set.drainRequested(now: .zero)
                == [.tell(.leaseReleased(lease(3))), Self.ended, .tell(.goodbye), .stop(.drained)])
    }

    @Test(arguments: modes) func failedStepGivesTheTurnBack(mode: WorkerLoopStateMachine.Mode) {
        var machine = Self.queued(mode)
        _ = machine.turnGranted(for: .seconds(1), now: .zero)
        let actions = machine.stepFailed(StepError(.retryable, "no"), now: .zero)
        #expect(actions.last == Self.ended)
        #expect(machine.checkInvariants() == nil)
    }

    @Test func anInvariantKnowsAWaitThatNobodyHasAskedFor() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        machine.activity = .queued(.apply(lease(3), position(nil)), nil, since: .zero)
        #expect(machine.checkInvariants()?.contains("a turn is waited for") == true)
    }

    // MARK: - A limited pace

    @Test func turnEndsAfterItsRows() {
        var machine = Self.queued(.setBased)
        #expect(machine.turnGranted(for: .seconds(1), rows: 6, now: .zero) == [Self.first(.setBased)])
        let one = position(5, sequence: 1, rows: 5)
        #expect(machine.batchCommitted(one, done: false, read: nil, now: .zero) == [.step(.apply(lease(3), one))])
        #expect(machine.rowsWritten == 5)
        let two = position(9, sequence: 2, rows: 9)
        #expect(machine.batchCommitted(two, done: false, read: nil, now: .zero) == [Self.wanted])
        #expect(machine.rowsWritten == 9 && machine.checkInvariants() == nil)
    }

    @Test(arguments: modes) func withALimitedPaceABatchWaitsForItsTurnAndIsExcused(mode: WorkerLoopStateMachine.Mode) {
        var machine = Self.queued(mode)
        #expect(machine.turnTakingTold(.forPace, now: .zero) == [])
        #expect(machine.isExcused)
        machine.heard(now: .seconds(200))
        #expect(!machine.timePassed(now: .seconds(200)).contains(Self.first(mode)))
        // A coordinator that is silent for long grants no turn: the lease is put down, and the worker leaves.
        let actions = machine.timePassed(now: .seconds(501))
        #expect(actions.contains(.tell(.leaseReleased(lease(3)))) && !actions.contains(Self.first(mode)))
        #expect(machine.checkInvariants() == nil)
        #expect(machine.timePassed(now: .seconds(502)).contains(.stop(.abandoned)) || machine.activity == .stopped)
    }

    /// The wish may be lost, or its answer.
    @Test(arguments: modes) func withALimitedPaceTheWishIsSaidAgain(mode: WorkerLoopStateMachine.Mode) {
        var machine = Self.queued(mode)
        _ = machine.turnTakingTold(.forPace, now: .zero)
        #expect(machine.timePassed(now: .seconds(2)).suffix(1) == [Self.wanted])
        #expect(machine.turnGranted(for: .seconds(1), now: .seconds(3)) == [Self.first(mode)])
        #expect(!machine.timePassed(now: .seconds(5)).contains(Self.wanted))
    }

    /// The locks of its rows last until it is written.
    @Test func batchWhoseRowsAreLockedWaitsForNoTurn() {
        var machine = Self.queued(.rowBased)
        _ = machine.turnTakingTold(.forPace, now: .zero)
        var sequence: Int64 = 0
        var actions: [WorkerAction] = []
        repeat {
            sequence += 1
            _ = machine.turnGranted(for: .seconds(1), now: .zero)
            let deferring = position(5, sequence: sequence, rows: 3, deferred: [7])
            actions = machine.batchCommitted(deferring, done: false, read: nil, now: .zero)
            guard case .step(.read(_, _, let locking))? = actions.last else { break }
            _ = machine.batchRead(summary(3), now: .zero)
            actions = machine.batchComputed(now: .zero)
            if locking {
                #expect(actions.count == 1)
                if case .step(.write)? = actions.first {} else { Issue.record("\(actions)") }
                return
            }
        } while sequence < 50
        Issue.record("no row was read under a lock: \(actions)")
    }

    @Test func rowsOfACommitWhoseAnswerWasLostCount() {
        var machine = Self.queued(.setBased)
        _ = machine.turnGranted(for: .seconds(9), rows: 100, now: .zero)
        _ = machine.batchCommitted(position(5, sequence: 1, rows: 5), done: false, read: nil, now: .zero)
        _ = machine.stepFailed(StepError(.connectionLost, "gone"), now: .zero)
        _ = machine.timePassed(now: .seconds(1))
        _ = machine.leaseOpened(position(9, sequence: 2, rows: 9), now: .seconds(1))
        #expect(machine.rowsWritten == 9)
    }

    @Test(arguments: modes) func liftedLimitLetsTheBatchGoOn(mode: WorkerLoopStateMachine.Mode) {
        var machine = Self.queued(mode)
        _ = machine.turnTakingTold(.forPace, now: .zero)
        #expect(machine.turnTakingTold(.none, now: .seconds(1)) == [Self.ended, Self.first(mode)])
        #expect(!machine.isExcused && machine.checkInvariants() == nil)
        // From the next batch on it asks again, when it is told so.
        #expect(machine.turnTakingTold(.forPace, now: .seconds(1)) == [])
        let one = position(5, sequence: 1, rows: 3)
        let next = machine.batchCommitted(
            one, done: false, read: mode == .rowBased ? summary(2) : nil, now: .seconds(1))
        if mode == .rowBased {
            #expect(next == [.step(.compute)])
            #expect(machine.batchComputed(now: .seconds(1)) == [Self.wanted])
        } else {
            #expect(next == [Self.wanted])
        }
    }
}
