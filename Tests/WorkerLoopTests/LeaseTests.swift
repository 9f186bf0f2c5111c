import Sharding
import Testing

@testable import WorkerLoop

@Suite struct LeaseTests {
    @Test func repeatedAssignmentChangesNothing() {
        for step in Step.allCases {
            var machine = WorkerLoopStateMachine.amid(step)
            #expect(machine.leaseAssigned(lease(3), now: .zero) == [])
            #expect(machine.held?.lease == lease(3))
        }
    }

    @Test func olderEpochOfTheShardInHandIsIgnored() {
        var machine = WorkerLoopStateMachine.joined(.setBased)
        _ = machine.leaseAssigned(lease(3, 5), now: .zero)
        #expect(machine.leaseAssigned(lease(3, 4), now: .zero) == [])
        #expect(machine.leaseOpened(position(nil), now: .zero) == [.step(.apply(lease(3, 5), position(nil)))])
    }

    @Test(arguments: Step.allCases) func newerEpochOfTheShardInHandEndsTheOlderLease(step: Step) {
        var machine = WorkerLoopStateMachine.amid(step)
        #expect(machine.leaseAssigned(lease(3, 2), now: .zero) == [])
        #expect(machine.held == nil)
        let actions = step.succeed(&machine, now: .zero)
        if step == .computing {
            #expect(actions == [.step(.discard), .step(.open(lease(3, 2)))])
        } else {
            #expect(actions.last == .step(.open(lease(3, 2))))
        }
        #expect(machine.held?.lease == lease(3, 2))
    }

    @Test func newerEpochOfAShardThatWaitsForItsRetryIsBegunAtOnce() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        _ = machine.stepFailed(StepError(.retryable, "x"), now: .zero)
        #expect(machine.leaseAssigned(lease(3, 2), now: .zero) == [.step(.open(lease(3, 2)))])
    }

    @Test func assignmentWhileAnotherIsInHandWaits() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        #expect(machine.leaseAssigned(lease(4), now: .zero) == [])
        #expect(
            machine.batchCommitted(position(10, sequence: 1, rows: 3), done: true, read: nil, now: .zero)
                == [.tell(.shardDone(lease(3))), .step(.open(lease(4)))])
    }

    @Test func waitingAssignmentThatIsRevokedIsForgotten() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        _ = machine.leaseAssigned(lease(4), now: .zero)
        #expect(machine.leaseRevoked(lease(4), now: .zero) == [])
        #expect(
            machine.batchCommitted(position(10, sequence: 1, rows: 3), done: true, read: nil, now: .zero)
                == [.tell(.shardDone(lease(3)))])
    }

    @Test(arguments: Step.allCases) func revokedLeaseEndsWithTheStepUnderWay(step: Step) {
        var machine = WorkerLoopStateMachine.amid(step)
        #expect(machine.leaseRevoked(lease(3), now: .zero) == [])
        #expect(machine.held == nil)
        let actions = step.succeed(&machine, now: .zero)
        #expect(actions == (step == .reading || step == .computing ? [.step(.discard)] : []))
        #expect(machine.activity == .idle)
    }

    @Test(arguments: Step.allCases, StepError.Kind.allCases)
    func revokedLeaseEndsWhenItsStepFailsAndReportsNothing(step: Step, kind: StepError.Kind) {
        var machine = WorkerLoopStateMachine.amid(step)
        _ = machine.leaseRevoked(lease(3), now: .zero)
        #expect(machine.stepFailed(StepError(kind, "x"), now: .zero) == step.discarded)
        #expect(machine.activity == .idle)
    }

    @Test func revokedLeaseThatFinishedItsShardIsReportedAllTheSame() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        _ = machine.leaseRevoked(lease(3), now: .zero)
        #expect(
            machine.batchCommitted(position(10, sequence: 1, rows: 3), done: true, read: nil, now: .zero)
                == [.tell(.shardDone(lease(3)))])
    }

    @Test func leaseThatIsRevokedWhileItWaitsForARetryEndsAtOnce() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        _ = machine.stepFailed(StepError(.retryable, "x"), now: .zero)
        _ = machine.leaseAssigned(lease(4), now: .zero)
        #expect(machine.leaseRevoked(lease(3), now: .zero) == [.step(.open(lease(4)))])
    }

    @Test func revokeOfAnotherLeaseChangesNothing() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        #expect(machine.leaseRevoked(lease(3, 9), now: .zero) == [])
        #expect(machine.leaseRevoked(lease(4), now: .zero) == [])
        #expect(machine.held?.lease == lease(3))
    }
}

@Suite struct DrainTests {
    @Test func idleWorkerLeavesAtOnce() {
        var machine = WorkerLoopStateMachine.joined(.setBased)
        #expect(machine.drainRequested(now: .zero) == [.tell(.goodbye), .stop(.drained)])
        #expect(machine.drainRequested(now: .zero) == [])
        #expect(machine.leaseAssigned(lease(3), now: .zero) == [])
        #expect(machine.timePassed(now: .seconds(100)) == [])
    }

    @Test(arguments: [Step.opening, .applying, .reading, .writing])
    func workerReleasesItsLeaseAfterTheStepUnderWay(step: Step) {
        var machine = WorkerLoopStateMachine.amid(step)
        #expect(machine.drainRequested(now: .zero) == [])
        let discard: [WorkerAction] = step == .reading ? [.step(.discard)] : []
        #expect(
            step.succeed(&machine, now: .zero)
                == discard + [.tell(.leaseReleased(lease(3))), .tell(.goodbye), .stop(.drained)])
        #expect(machine.activity == .stopped)
    }

    @Test func computedBatchIsStillWrittenBeforeTheWorkerLeaves() {
        var machine = WorkerLoopStateMachine.amid(.computing)
        #expect(machine.drainRequested(now: .zero) == [])
        #expect(machine.batchComputed(now: .zero) == [.step(.write(lease(3), position(nil), readNext: false))])
        #expect(
            machine.batchCommitted(position(10, sequence: 1, rows: 3), done: false, read: nil, now: .zero)
                == [.tell(.leaseReleased(lease(3))), .tell(.goodbye), .stop(.drained)])
    }

    @Test func drainThatComesWithAPipelinedReadThrowsTheReadAway() {
        var machine = WorkerLoopStateMachine.amid(.writing)
        _ = machine.drainRequested(now: .zero)
        #expect(
            machine.batchCommitted(position(10, sequence: 1, rows: 3), done: false, read: summary(3), now: .zero)
                == [.step(.discard), .tell(.leaseReleased(lease(3))), .tell(.goodbye), .stop(.drained)])
    }

    @Test func shardThatIsDoneInADrainIsReportedDone() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        _ = machine.drainRequested(now: .zero)
        #expect(
            machine.batchCommitted(position(10, sequence: 1, rows: 3), done: true, read: nil, now: .zero)
                == [.tell(.shardDone(lease(3))), .tell(.goodbye), .stop(.drained)])
    }

    @Test func workerThatWaitsForARetryReleasesItsLeaseAtOnce() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        _ = machine.stepFailed(StepError(.retryable, "x"), now: .zero)
        #expect(
            machine.drainRequested(now: .zero) == [.tell(.leaseReleased(lease(3))), .tell(.goodbye), .stop(.drained)])
    }

    @Test(arguments: Step.allCases, [StepError.Kind.retryable, .connectionLost])
    func stepThatFailsInADrainIsNotTriedAgain(step: Step, kind: StepError.Kind) {
        var machine = WorkerLoopStateMachine.amid(step)
        _ = machine.drainRequested(now: .zero)
        #expect(
            machine.stepFailed(StepError(kind, "x"), now: .zero)
                == step.discarded + [.tell(.leaseReleased(lease(3))), .tell(.goodbye), .stop(.drained)])
    }

    @Test(arguments: Step.allCases) func leaseInHandThatIsAssignedAgainInADrainIsNotGivenBackBeforeItsStepEnds(
        step: Step
    ) {
        var machine = WorkerLoopStateMachine.amid(step)
        _ = machine.drainRequested(now: .zero)
        #expect(machine.leaseAssigned(lease(3), now: .zero) == [])
    }

    @Test func assignmentsInADrainAreGivenBack() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        _ = machine.leaseAssigned(lease(4), now: .zero)
        _ = machine.drainRequested(now: .zero)
        #expect(machine.leaseAssigned(lease(5), now: .zero) == [.tell(.leaseReleased(lease(5)))])
        #expect(
            machine.batchCommitted(position(10, sequence: 1, rows: 3), done: true, read: nil, now: .zero)
                == [
                    .tell(.shardDone(lease(3))), .tell(.leaseReleased(lease(4))), .tell(.goodbye), .stop(.drained),
                ])
    }
}
