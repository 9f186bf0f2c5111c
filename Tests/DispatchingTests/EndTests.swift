import Sharding
import Testing

@testable import Dispatching

@Suite struct ConclusionTests {
    /// A machine for which both shards are done, and which has asked the ledger.
    static func concluding() -> Bench {
        var bench = Bench.dispatching(1, [alice])
        _ = bench.machine.shardReportedDone(lease(0), worker: alice, now: .zero)
        _ = bench.machine.shardRead(record(0, .done, epoch: 1), now: .zero)
        return bench
    }

    @Test func doneReportAloneConcludesNothing() {
        var bench = Bench.dispatching(1, [alice])
        #expect(bench.machine.shardReportedDone(lease(0), worker: alice, now: .zero) == [.ledger(.confirm(shard(0)))])
        #expect(bench.machine.phase == .dispatching)
        #expect(bench.machine.timePassed(now: .seconds(1)) == [])
    }

    @Test func runConcludesWhenTheLedgerSaysSo() {
        var bench = Self.concluding()
        #expect(bench.machine.phase == .concluding)
        #expect(
            bench.machine.runConcluded(done: 1, failed: 0, open: 0, now: .zero)
                == [.tell(alice, .drain), .finish(.concluded(done: 1, failed: 0))])
        #expect(bench.machine.phase == .finished)
    }

    @Test func openShardInTheLedgerKeepsTheRunGoing() {
        var bench = Self.concluding()
        #expect(bench.machine.runConcluded(done: 0, failed: 0, open: 1, now: .zero) == [.ledger(.reload)])
        #expect(
            bench.machine.shardsLoaded([record(0, .pending, epoch: 1)], now: .zero)
                == [.ledger(.recordLease(shard(0), worker: alice, after: Epoch(1)))])
    }

    @Test func runOfFinishedShardsConcludesRightAfterItsLoad() {
        var machine = DispatchStateMachine(seed: 1)
        #expect(machine.shardsLoaded([record(0, .done), record(1, .failed)], now: .zero) == [.ledger(.conclude)])
    }

    @Test func drainDuringTheConclusionLeavesTheLedgersAnswerToDecide() {
        var bench = Self.concluding()
        #expect(bench.machine.cancelRequested(now: .zero) == [.tell(alice, .drain)])
        #expect(bench.machine.phase == .concluding)
        #expect(
            bench.machine.runConcluded(done: 1, failed: 0, open: 0, now: .zero)
                == [.tell(alice, .drain), .finish(.concluded(done: 1, failed: 0))])
    }

    @Test func drainDuringAConclusionThatFindsOpenShardsDrains() {
        var bench = Self.concluding()
        _ = bench.machine.drainRequested(now: .zero)
        #expect(bench.machine.runConcluded(done: 0, failed: 0, open: 1, now: .zero) == [.ledger(.reload)])
        #expect(
            bench.machine.shardsLoaded([record(0, .pending, epoch: 1)], now: .zero) == [.finish(.drained)])
    }

    @Test func finishedMachineSendsEveryWorkerAwayAndDoesNothingElse() {
        var bench = Self.concluding()
        _ = bench.machine.runConcluded(done: 1, failed: 0, open: 0, now: .zero)
        // The drain message was lost.
        #expect(bench.machine.workerReported(alice, held: [], now: .zero) == [.tell(alice, .drain)])
        #expect(bench.machine.workerReported(bob, held: [], now: .zero) == [.tell(bob, .rejoin)])
        #expect(bench.machine.workerJoined(bob, credit: 1, now: .zero) == [.tell(bob, .drain)])
        #expect(bench.machine.workerReported(bob, held: [], now: .zero) == [.tell(bob, .drain)])
        #expect(bench.machine.timePassed(now: .seconds(100)) == [])
        #expect(bench.machine.drainRequested(now: .zero) == [])
        #expect(bench.machine.shardsLoaded([record(0)], now: .zero) == [])
        bench.machine.ledgerLost()
        #expect(bench.machine.phase == .finished)
    }
}

@Suite struct DrainTests {
    @Test func drainWaitsForTheLeasesAndThenFinishes() {
        var bench = Bench.dispatching(3, [alice, bob])
        #expect(bench.machine.drainRequested(now: .zero) == [.tell(alice, .drain), .tell(bob, .drain)])
        #expect(bench.machine.drainRequested(now: .zero) == [])
        #expect(bench.machine.phase == .draining)
        let released = AttemptEnd(.released)
        #expect(
            bench.machine.attemptReported(lease(0), worker: alice, released, now: .zero)
                == [.ledger(.recordAttempt(lease(0), worker: alice, released, attempts: 0))])
        #expect(bench.machine.attemptRecorded(lease(0), state: .pending, failures: 0, now: .zero) == [])
        #expect(bench.machine.shardReportedDone(lease(1), worker: bob, now: .zero).first == .ledger(.confirm(shard(1))))
        #expect(bench.machine.phase == .finished)
    }

    @Test func drainThatWasLostIsRepeatedWithEachHeartbeat() {
        var bench = Bench.dispatching(1, [alice])
        _ = bench.machine.drainRequested(now: .zero)
        #expect(bench.machine.workerReported(alice, held: [held(lease(0))], now: .seconds(1)) == [.tell(alice, .drain)])
    }

    @Test func workerThatJoinsADrainIsSentAwayAndGetsNothing() {
        var bench = Bench.dispatching(2, [alice])
        _ = bench.machine.drainRequested(now: .zero)
        #expect(bench.machine.workerJoined(bob, credit: 1, now: .zero) == [.tell(bob, .drain)])
    }

    @Test func drainEndsThoughAWorkerDiesInIt() {
        var bench = Bench.dispatching(1, [alice])
        _ = bench.machine.drainRequested(now: .zero)
        #expect(bench.machine.timePassed(now: .seconds(11)).count == 2)
        #expect(
            bench.machine.attemptRecorded(lease(0), state: .pending, failures: 1, now: .seconds(11))
                == [.finish(.drained)])
    }

    @Test func drainWithoutLeasesFinishesAtOnce() {
        var bench = Bench.dispatching(2)
        #expect(bench.machine.drainRequested(now: .zero) == [.finish(.drained)])
    }

    @Test func leaseThatWasBeingRecordedAtTheDrainIsGivenBack() {
        var bench = Bench.dispatching(1)
        _ = bench.machine.workerJoined(alice, credit: 1, now: .zero)
        #expect(bench.machine.drainRequested(now: .zero) == [.tell(alice, .drain)])
        #expect(
            bench.machine.leaseRecorded(lease(0), worker: alice, sequence: 0, now: .zero)
                == [.ledger(.recordAttempt(lease(0), worker: alice, AttemptEnd(.released), attempts: 0))])
        #expect(
            bench.machine.attemptRecorded(lease(0), state: .pending, failures: 0, now: .zero)
                == [.finish(.drained)])
    }

    @Test func drainThatIsAskedForBeforeTheLedgerIsLoadedIsObeyedAfterIt() {
        var machine = DispatchStateMachine(seed: 1)
        _ = machine.workerJoined(alice, credit: 1, now: .zero)
        #expect(machine.drainRequested(now: .zero) == [.tell(alice, .drain)])
        #expect(machine.phase == .loading)
        #expect(machine.shardsLoaded([record(0)], now: .zero) == [.finish(.drained)])
    }

    @Test func drainThatIsAskedForWhileTheLedgerIsAwayWaitsForItsLeases() {
        var bench = Bench.dispatching(1, [alice])
        bench.machine.ledgerLost()
        #expect(bench.machine.drainRequested(now: .zero) == [.tell(alice, .drain)])
        #expect(bench.machine.shardsLoaded([record(0, .running, epoch: 1, owner: alice)], now: .zero) == [])
        #expect(bench.machine.phase == .draining)
    }

    @Test func cancelDrainsAndSaysSo() {
        var bench = Bench.dispatching(1, [alice])
        #expect(bench.machine.cancelRequested(now: .zero) == [.tell(alice, .drain)])
        _ = bench.machine.workerLeft(alice, now: .zero)
        #expect(
            bench.machine.attemptRecorded(lease(0), state: .pending, failures: 0, now: .zero)
                == [.finish(.cancelled)])
    }

    @Test func cancelAfterADrainStillCancels() {
        var bench = Bench.dispatching(1, [alice])
        _ = bench.machine.drainRequested(now: .zero)
        #expect(bench.machine.cancelRequested(now: .zero) == [])
        _ = bench.machine.workerLeft(alice, now: .zero)
        #expect(
            bench.machine.attemptRecorded(lease(0), state: .pending, failures: 0, now: .zero)
                == [.finish(.cancelled)])
    }
}
