import Sharding
import Testing

@testable import WorkerLoop

@Suite struct CoordinatorTests {
    @Test func workerSaysHelloAndThenHeartbeats() {
        var machine = WorkerLoopStateMachine(
            configuration: WorkerLoopStateMachine.limits(.setBased), seed: 1)
        #expect(machine.started(now: .seconds(5)) == [.tell(.hello)])
        #expect(machine.timePassed(now: .milliseconds(5900)) == [])
        // The hello or the welcome may be lost, so the hello is repeated.
        #expect(machine.timePassed(now: .seconds(6)) == [.tell(.hello)])
        #expect(machine.welcomed(now: .milliseconds(6100)) == [.tell(.heartbeat(nil))])
        #expect(machine.timePassed(now: .seconds(7)) == [])
        #expect(machine.timePassed(now: .milliseconds(7100)) == [.tell(.heartbeat(nil))])
    }

    @Test func heartbeatCarriesTheProgress() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        _ = machine.batchCommitted(position(10, sequence: 1, rows: 3), done: false, read: nil, now: .zero)
        let held = HeldLease(lease: lease(3), sequence: 1, rowsDone: 3)
        #expect(machine.timePassed(now: .seconds(1)) == [.tell(.heartbeat(held))])
    }

    @Test func silentCoordinatorIsLookedForOnANewConnectionAgainAndAgain() {
        var machine = WorkerLoopStateMachine.joined(.setBased)
        #expect(machine.timePassed(now: .seconds(10)) == [.tell(.heartbeat(nil))])
        #expect(machine.timePassed(now: .seconds(11)) == [.reconnect, .tell(.hello)])
        #expect(machine.timePassed(now: .seconds(12)) == [.tell(.hello)])
        #expect(machine.timePassed(now: .seconds(21)) == [.tell(.hello)])
        #expect(machine.timePassed(now: .seconds(22)) == [.reconnect, .tell(.hello)])
        #expect(machine.welcomed(now: .seconds(23)) == [.tell(.heartbeat(nil))])
        #expect(machine.timePassed(now: .seconds(30)) == [.tell(.heartbeat(nil))])
    }

    @Test func anythingFromTheCoordinatorKeepsTheConnection() {
        var machine = WorkerLoopStateMachine.joined(.setBased)
        for second in stride(from: 5, through: 200, by: 5) {
            machine.heard(now: .seconds(second))
            #expect(machine.timePassed(now: .seconds(second)) == [.tell(.heartbeat(nil))])
        }
    }

    @Test func workerWithoutALeaseGivesUpAfterItsLimit() {
        var machine = WorkerLoopStateMachine.joined(.setBased)
        _ = machine.timePassed(now: .seconds(60))
        #expect(machine.activity == .idle)
        #expect(machine.timePassed(now: .seconds(61)) == [.stop(.abandoned)])
        #expect(machine.timePassed(now: .seconds(99)) == [])
        #expect(machine.leaseAssigned(lease(3), now: .seconds(99)) == [])
    }

    @Test func workerWithALeaseWorksOnWithoutACoordinatorAndThenLeaves() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        #expect(machine.timePassed(now: .seconds(100)) == [.reconnect, .tell(.hello)])
        #expect(
            machine.batchCommitted(position(10, sequence: 1, rows: 3), done: true, read: nil, now: .seconds(100))
                == [.tell(.shardDone(lease(3)))])
        #expect(machine.timePassed(now: .seconds(101)) == [.stop(.abandoned)])
    }

    @Test func rejoinKeepsTheLease() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        #expect(machine.rejoinRequested(now: .zero) == [.tell(.hello)])
        #expect(machine.timePassed(now: .seconds(1)) == [.tell(.hello)])
        let held = HeldLease(lease: lease(3), sequence: 0, rowsDone: 0)
        #expect(machine.welcomed(now: .seconds(1)) == [.tell(.heartbeat(held))])
    }

    @Test func refusedWorkerStops() {
        var machine = WorkerLoopStateMachine(
            configuration: WorkerLoopStateMachine.limits(.setBased), seed: 1)
        _ = machine.started(now: .zero)
        #expect(machine.refused(reason: "protocol 2") == [.stop(.refused(reason: "protocol 2"))])
        #expect(machine.refused(reason: "protocol 2") == [])
        #expect(machine.drainRequested(now: .zero) == [])
        #expect(machine.rejoinRequested(now: .zero) == [])
        #expect(machine.timePassed(now: .seconds(9)) == [])
    }
}
