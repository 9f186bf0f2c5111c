import Sharding
import Testing

@testable import Dispatching

@Suite struct GrantTests {
    @Test func nothingIsGrantedBeforeTheLedgerIsLoaded() {
        var machine = DispatchStateMachine(seed: 1)
        #expect(machine.workerJoined(alice, credit: 1, now: .zero) == [])
        #expect(machine.phase == .loading)
        let actions = machine.shardsLoaded([record(1), record(0)], now: .zero)
        #expect(actions == [.ledger(.recordLease(shard(0), worker: alice, after: Epoch(0)))])
        #expect(machine.phase == .dispatching)
    }

    @Test func aLeaseIsAssignedOnlyAfterTheLedgerTookIt() {
        var bench = Bench.dispatching(1)
        #expect(
            bench.machine.workerJoined(alice, credit: 1, now: .zero)
                == [.ledger(.recordLease(shard(0), worker: alice, after: Epoch(0)))])
        #expect(bench.phase(of: 0) == .granting(alice))
        #expect(
            bench.machine.leaseRecorded(lease(0), worker: alice, sequence: 0, now: .zero) == [
                .tell(alice, .assign(lease(0)))
            ])
        #expect(bench.holder(of: 0) == alice)
    }

    @Test(arguments: [(-1, 1), (0, 1), (1, 1), (3, 3), (9, 5)])
    func aWorkerGetsAsManyShardsAsItsCredit(credit: Int, shards: Int) {
        var bench = Bench.dispatching(5)
        #expect(bench.machine.workerJoined(alice, credit: credit, now: .zero).count == shards)
        #expect(bench.machine.workerJoined(alice, credit: credit, now: .zero) == [])
    }

    @Test func aWorkerThatFinishesItsShardGetsTheNext() {
        var bench = Bench.dispatching(2, [alice])
        let actions = bench.machine.shardReportedDone(lease(0), worker: alice, now: .seconds(1))
        #expect(
            actions == [.ledger(.confirm(shard(0))), .ledger(.recordLease(shard(1), worker: alice, after: Epoch(0)))])
        #expect(bench.phase(of: 0) == .asking)
        #expect(bench.machine.shardRead(record(0, .done, epoch: 1), now: .seconds(1)) == [])
        #expect(bench.phase(of: 0) == .done)
    }

    @Test func twoWorkersNeverGetOneShard() {
        let bench = Bench.dispatching(2, [alice, bob])
        #expect(bench.holder(of: 0) == alice)
        #expect(bench.holder(of: 1) == bob)
        #expect(bench.machine.counts == ShardCounts(running: 2))
    }

    @Test func aRefusedLeaseIsReadAgainAndGrantedAfterItsNewEpoch() {
        var bench = Bench.dispatching(1)
        _ = bench.machine.workerJoined(alice, credit: 1, now: .zero)
        #expect(bench.machine.leaseRefused(shard(0), worker: alice, now: .zero) == [.ledger(.confirm(shard(0)))])
        #expect(
            bench.machine.shardRead(record(0, .running, epoch: 4, owner: bob), now: .zero)
                == [.ledger(.recordLease(shard(0), worker: alice, after: Epoch(4)))])
    }

    @Test func aWorkerThatLeftWhileItsLeaseWasRecordedGivesItBack() {
        var bench = Bench.dispatching(1)
        _ = bench.machine.workerJoined(alice, credit: 1, now: .zero)
        #expect(bench.machine.workerLeft(alice, now: .zero) == [])
        #expect(
            bench.machine.leaseRecorded(lease(0), worker: alice, sequence: 0, now: .zero)
                == [.ledger(.recordAttempt(lease(0), worker: alice, AttemptEnd(.released), attempts: 0))])
    }

    /// The simulator found this fault: the lease belonged to nobody, and was lost for good with the message that
    /// assigned it.
    @Test func aLeaseRecordedForAWorkerThatWasDismissedAndJoinedAgainIsGivenBack() {
        var bench = Bench.dispatching(2)
        _ = bench.machine.workerJoined(alice, credit: 1, now: .zero)
        #expect(bench.machine.timePassed(now: .seconds(11)) == [.dismiss(alice)])
        #expect(
            bench.machine.workerJoined(alice, credit: 1, now: .seconds(12))
                == [.ledger(.recordLease(shard(1), worker: alice, after: Epoch(0)))])
        #expect(
            bench.machine.leaseRecorded(lease(0), worker: alice, sequence: 0, now: .seconds(12))
                == [.ledger(.recordAttempt(lease(0), worker: alice, AttemptEnd(.released), attempts: 0))])
        #expect(
            bench.machine.leaseRecorded(lease(1), worker: alice, sequence: 0, now: .seconds(12))
                == [.tell(alice, .assign(lease(1)))])
        #expect(bench.machine.leases.count == 1)
    }

    @Test func lateMessagesOfOlderEpochsChangeNothing() {
        var bench = Bench()
        _ = bench.machine.shardsLoaded([record(0, .pending, epoch: 4)], now: .zero)
        bench.join(alice)
        let before = bench.phase(of: 0)
        let now: Duration = .seconds(1)
        for old in [lease(0, 4), lease(0, 1), lease(0, 6), lease(9, 5)] {
            for worker in [alice, bob] {
                #expect(bench.machine.shardReportedDone(old, worker: worker, now: now) == [])
                #expect(bench.machine.leaseReportedLost(old, worker: worker, now: now) == [])
                #expect(bench.machine.attemptReported(old, worker: worker, AttemptEnd(.failed), now: now) == [])
                // The ledger does not answer about a shard that the run does not have.
                guard old.shard == shard(0) else { continue }
                #expect(bench.machine.attemptRecorded(old, state: .failed, failures: 9, now: now) == [])
                #expect(bench.machine.leaseRecorded(old, worker: worker, sequence: 3, now: now) == [])
                #expect(bench.machine.leaseRefused(old.shard, worker: worker, now: now) == [])
            }
        }
        // The lease is current, but another worker holds it.
        #expect(bench.machine.shardReportedDone(lease(0, 5), worker: bob, now: now) == [])
        #expect(bench.phase(of: 0) == before)
    }
}
