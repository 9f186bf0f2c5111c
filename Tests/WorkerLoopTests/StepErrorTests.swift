import Sharding
import Testing

@testable import WorkerLoop

@Suite struct StepErrorTests {
    @Test(arguments: Step.allCases) func lostLeaseIsReportedAndLetGo(step: Step) {
        var machine = WorkerLoopStateMachine.amid(step)
        #expect(
            machine.stepFailed(StepError(.leaseLost, "epoch 2"), now: .zero)
                == step.discarded + [.tell(.leaseLost(lease(3)))])
        #expect(machine.activity == .idle)
        #expect(machine.held == nil)
    }

    @Test(arguments: Step.allCases, [StepError.Kind.program, .permanent])
    func errorThatARepetitionCannotHelpIsReportedAtOnce(step: Step, kind: StepError.Kind) {
        var machine = WorkerLoopStateMachine.amid(step)
        let error = StepError(kind, "boom")
        #expect(
            machine.stepFailed(error, now: .zero)
                == step.discarded + [.tell(.shardFailed(lease(3), error))])
        #expect(machine.activity == .idle)
    }

    @Test(arguments: Step.allCases) func retryableErrorWaitsAndThenReadsThePositionAnew(step: Step) {
        var machine = WorkerLoopStateMachine.amid(step)
        let error = StepError(.retryable, "deadlock")
        #expect(machine.stepFailed(error, now: .seconds(1)) == step.discarded)
        guard case .waiting(let until) = machine.activity else {
            Issue.record("\(machine.activity)")
            return
        }
        #expect(until >= .milliseconds(1500) && until <= .seconds(2))
        #expect(!machine.timePassed(now: .milliseconds(1400)).contains(.step(.open(lease(3)))))
        #expect(machine.timePassed(now: .seconds(2)).first == .step(.open(lease(3))))
        #expect(machine.activity == .opening)
    }

    @Test(arguments: Step.allCases) func retryableErrorIsReportedWhenItsAttemptsAreUsedUp(step: Step) {
        var machine = WorkerLoopStateMachine.amid(step)
        let error = StepError(.retryable, "deadlock")
        var now: Duration = .zero
        for _ in 1..<3 {
            #expect(machine.stepFailed(error, now: now) == step.discarded)
            now += .seconds(8)
            _ = machine.timePassed(now: now)
        }
        #expect(
            machine.stepFailed(error, now: now)
                == step.discarded + [.tell(.shardFailed(lease(3), error))])
        #expect(machine.activity == .idle)
    }

    @Test func batchThatCommitsClearsTheCountOfFailures() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        let error = StepError(.retryable, "deadlock")
        var now: Duration = .zero
        for sequence in 1...10 {
            #expect(machine.stepFailed(error, now: now) == [])
            now += .seconds(8)
            _ = machine.timePassed(now: now)
            _ = machine.leaseOpened(position(1, sequence: Int64(sequence) - 1), now: now)
            _ = machine.batchCommitted(position(1, sequence: Int64(sequence)), done: false, read: nil, now: now)
        }
        let last = StepError(.permanent, "boom")
        #expect(
            machine.stepFailed(last, now: now) == [.tell(.shardFailed(lease(3), last))])
    }

    @Test(arguments: Step.allCases) func lostConnectionIsTriedAgainForAsLongAsTheLeaseLasts(step: Step) {
        var machine = WorkerLoopStateMachine.amid(step)
        var now: Duration = .zero
        for _ in 0..<20 {
            #expect(machine.stepFailed(StepError(.connectionLost, "gone"), now: now) == step.discarded)
            now += .seconds(8)
            #expect(machine.timePassed(now: now).first == .step(.open(lease(3))))
        }
        #expect(machine.held?.lease == lease(3))
    }

    @Test func commitWhoseAnswerWasLostIsNotRepeated() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        _ = machine.batchCommitted(position(10, sequence: 1, rows: 3), done: false, read: nil, now: .zero)
        _ = machine.stepFailed(StepError(.connectionLost, "gone"), now: .zero)
        _ = machine.timePassed(now: .seconds(2))
        // The ledger has one batch more than the worker knows of.
        let ahead = position(20, sequence: 2, rows: 6)
        #expect(machine.leaseOpened(ahead, now: .seconds(2)) == [.step(.apply(lease(3), ahead))])
        #expect(machine.held == HeldLease(lease: lease(3), sequence: 2, rowsDone: 6))
    }

    @Test func lastCommitWhoseAnswerWasLostIsFoundWhenTheLeaseIsOpenedAgain() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        _ = machine.stepFailed(StepError(.connectionLost, "gone"), now: .zero)
        _ = machine.timePassed(now: .seconds(2))
        // The shard is done, so its row has no lease to open any more.
        #expect(
            machine.stepFailed(StepError(.leaseLost, "done"), now: .seconds(2)) == [.tell(.leaseLost(lease(3)))])
    }

    @Test func failureBeginsTheWaitingAssignment() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        _ = machine.leaseAssigned(lease(4), now: .zero)
        #expect(
            machine.stepFailed(StepError(.leaseLost, "epoch 2"), now: .zero)
                == [.tell(.leaseLost(lease(3))), .step(.open(lease(4)))])
    }

    /// The cause is what a report of the failure, or a quarantine of the row, consists of.
    @Test func causeIsKeptUpToTheReport() {
        let cause = StepError.Cause(sqlState: "22003", key: Key("7"), column: "n", effect: .rolledBack)
        let program = StepError(.program, "row 7: out of range", identity: "7 out of range", cause: cause)
        var machine = WorkerLoopStateMachine.amid(.writing)
        #expect(machine.stepFailed(program, now: .zero) == [.step(.discard)])
        _ = machine.timePassed(now: .seconds(2))
        // The same error from a fresh program is no accident.
        let last = StepError(.permanent, "row 7: out of range", cause: cause)
        #expect(
            machine.stepFailed(program, now: .seconds(2))
                == [.step(.discard), .tell(.shardFailed(lease(3), last))])
    }

    @Test func causeOfWhatWasWaitedForInVainIsKeptToo() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        let held = StepError(.held, "waits for a lock", cause: StepError.Cause(sqlState: "55P03", effect: .rolledBack))
        _ = machine.stepFailed(held, now: .zero)
        let cause = FailureCause(kind: .held, sqlState: "55P03", effect: .rolledBack)
        #expect(machine.wait == WorkerWait(words: "waits for a lock", cause: cause))
        #expect(held.told == cause)
        _ = machine.timePassed(now: .seconds(601))
        guard case .tell(.shardFailed(lease(3), let error))? = machine.stepFailed(held, now: .seconds(601)).first else {
            Issue.record("it waits on")
            return
        }
        #expect(error.message == "waits for a lock; it was waited for 600.0 seconds")
        #expect(error.cause == held.cause)
    }
}
