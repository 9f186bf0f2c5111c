import Sharding
import Testing

@testable import Dispatching

@Suite struct RetryTests {
    @Test func failedAttemptIsTriedAgainAfterItsBackoff() {
        var bench = Bench.dispatching(1, [alice])
        let end = AttemptEnd(.failed, error: "deadlock")
        #expect(
            bench.machine.attemptReported(lease(0), worker: alice, end, now: .seconds(1))
                == [.ledger(.recordAttempt(lease(0), worker: alice, end, attempts: 3))])
        #expect(bench.phase(of: 0) == .recording(lease(0), alice))
        // A backoff of two failures lasts one to two seconds.
        #expect(bench.machine.attemptRecorded(lease(0), state: .pending, failures: 2, now: .seconds(1)) == [])
        #expect(bench.machine.timePassed(now: .milliseconds(1999)) == [])
        #expect(
            bench.machine.timePassed(now: .seconds(3)) == [
                .ledger(.recordLease(shard(0), worker: alice, after: Epoch(1)))
            ])
    }

    @Test func releasedShardIsGrantedAtOnceButNotToTheWorkerThatLeaves() {
        var bench = Bench.dispatching(1, [alice])
        _ = bench.machine.attemptReported(lease(0), worker: alice, AttemptEnd(.released), now: .zero)
        #expect(bench.machine.attemptRecorded(lease(0), state: .pending, failures: 0, now: .zero) == [])
        #expect(
            bench.machine.workerJoined(bob, credit: 1, now: .zero)
                == [.ledger(.recordLease(shard(0), worker: bob, after: Epoch(1)))])
    }

    @Test func shardThatWaitsForItsBackoffDoesNotHoldUpOthers() {
        var bench = Bench.dispatching(2, [alice])
        _ = bench.machine.attemptReported(lease(0), worker: alice, AttemptEnd(.failed), now: .zero)
        #expect(bench.phase(of: 1) == .granting(alice))
    }

    @Test func shardHasFailedWhenTheLedgerSaysSo() {
        var bench = Bench.dispatching(1, [alice])
        let end = AttemptEnd(.failed, error: "no such column", permanent: true)
        #expect(
            bench.machine.attemptReported(lease(0), worker: alice, end, now: .zero)
                == [.ledger(.recordAttempt(lease(0), worker: alice, end, attempts: 3))])
        #expect(
            bench.machine.attemptRecorded(lease(0), state: .failed, failures: 1, now: .zero) == [.ledger(.conclude)])
        #expect(bench.phase(of: 0) == .failed)
        #expect(bench.machine.counts == ShardCounts(failed: 1))
    }

    @Test func attemptThatTheLedgerDoesNotKnowAnyMoreLeavesTheShardAsTheLedgerHasIt() {
        var bench = Bench.dispatching(1, [alice])
        _ = bench.machine.attemptReported(lease(0), worker: alice, AttemptEnd(.failed), now: .zero)
        #expect(bench.machine.shardRead(record(0, .done, epoch: 1), now: .zero) == [.ledger(.conclude)])
        #expect(bench.machine.attemptRecorded(lease(0), state: .pending, failures: 1, now: .zero) == [])
    }

    @Test func lostLeaseIsReadFromTheLedgerAndGrantedAnew() {
        var bench = Bench.dispatching(1, [alice])
        #expect(bench.machine.leaseReportedLost(lease(0), worker: alice, now: .zero) == [.ledger(.confirm(shard(0)))])
        #expect(
            bench.machine.shardRead(record(0, .running, epoch: 1, owner: alice), now: .zero)
                == [.ledger(.recordLease(shard(0), worker: alice, after: Epoch(1)))])
    }
}

@Suite struct LedgerLossTests {
    @Test func leasesThatTheLedgerStillHasAreKeptAfterAReload() {
        var bench = Bench.dispatching(2, [alice, bob])
        bench.machine.ledgerLost()
        #expect(bench.machine.phase == .loading)
        let records = [record(0, .running, epoch: 1, owner: alice), record(1, .running, epoch: 1, owner: bob)]
        #expect(bench.machine.shardsLoaded(records, now: .seconds(5)) == [])
        #expect(bench.holder(of: 0) == alice)
        #expect(bench.holder(of: 1) == bob)
    }

    struct Reloaded: Sendable, CustomTestStringConvertible {
        let name: String
        let record: ShardRecord
        let actions: [DispatchAction]
        var testDescription: String { name }
    }

    /// What the ledger may say of a shard that the machine counts as leased to alice under epoch 1.
    static let reloads = [
        Reloaded(
            name: "a failover lost the lease", record: record(0),
            actions: [.tell(alice, .revoke(lease(0))), .ledger(.recordLease(shard(0), worker: alice, after: Epoch(0)))]),
        Reloaded(
            name: "somebody else has it", record: record(0, .running, epoch: 2, owner: bob),
            actions: [.tell(alice, .revoke(lease(0))), .ledger(.recordLease(shard(0), worker: alice, after: Epoch(2)))]),
        Reloaded(
            name: "it is done", record: record(0, .done, epoch: 1, owner: alice),
            actions: [.tell(alice, .revoke(lease(0))), .ledger(.conclude)]),
        Reloaded(
            name: "it has failed", record: record(0, .failed, epoch: 1),
            actions: [.tell(alice, .revoke(lease(0))), .ledger(.conclude)]),
    ]

    @Test(arguments: reloads) func theLedgerBeatsMemory(reload: Reloaded) {
        var bench = Bench.dispatching(1, [alice])
        bench.machine.ledgerLost()
        #expect(bench.machine.shardsLoaded([reload.record], now: .zero) == reload.actions)
    }

    @Test func doneShardsAreOpenAgainWhenAFailoverLostThem() {
        var bench = Bench.dispatching(1, [alice])
        _ = bench.machine.shardReportedDone(lease(0), worker: alice, now: .zero)
        #expect(bench.machine.shardRead(record(0, .done, epoch: 1), now: .zero) == [.ledger(.conclude)])
        bench.machine.ledgerLost()
        #expect(
            bench.machine.shardsLoaded([record(0, .pending, epoch: 1)], now: .zero)
                == [.ledger(.recordLease(shard(0), worker: alice, after: Epoch(1)))])
    }

    @Test func leaseThatWasBeingRecordedIsRaisedOnceMoreWhenTheLedgerHasIt() {
        var bench = Bench.dispatching(1)
        _ = bench.machine.workerJoined(alice, credit: 1, now: .zero)
        bench.machine.ledgerLost()
        #expect(
            bench.machine.shardsLoaded([record(0, .running, epoch: 1, owner: alice)], now: .zero)
                == [.ledger(.recordLease(shard(0), worker: alice, after: Epoch(1)))])
    }

    @Test func workersAreDismissedWhileTheLedgerIsAway() {
        var bench = Bench.dispatching(1, [alice])
        bench.machine.ledgerLost()
        #expect(bench.machine.timePassed(now: .seconds(11)).first == .dismiss(alice))
        #expect(
            bench.machine.shardsLoaded([record(0, .running, epoch: 1, owner: alice)], now: .seconds(12)) == [])
        // The end of alice's attempt is written first, and counts as a failure.
        #expect(bench.machine.workerJoined(bob, credit: 1, now: .seconds(12)) == [])
        #expect(bench.machine.attemptRecorded(lease(0), state: .pending, failures: 1, now: .seconds(12)) == [])
        #expect(
            bench.machine.timePassed(now: .seconds(15))
                == [.ledger(.recordLease(shard(0), worker: bob, after: Epoch(1)))])
    }

    @Test func nothingIsGrantedWhileTheLedgerIsAway() {
        var bench = Bench.dispatching(2, [alice])
        bench.machine.ledgerLost()
        #expect(bench.machine.workerJoined(bob, credit: 1, now: .zero) == [])
        #expect(bench.machine.workerReported(alice, held: [held(lease(0))], now: .zero) == [])
        #expect(bench.machine.phase == .loading)
    }
}

/// A worker that is unfit for three leases in a row gets no more.
@Suite struct MisfitTests {
    private static let error = "no such program"
    private static let grace = Bench.configuration.misfitGrace

    /// Bob holds shard 1, and alice was unfit for three leases of shard 0.
    private func aliceIsSetAside() -> Bench {
        var bench = Bench.dispatching(2, [alice, bob])
        for misfits in 1...3 {
            let now = Duration.seconds(20 * misfits)
            bench.grant(bench.machine.workerReported(bob, held: [held(lease(1))], now: now), now: now)
            bench.grant(bench.machine.workerReported(alice, held: [], now: now), now: now)
            guard case .leased(let holding)? = bench.phase(of: 0) else {
                Issue.record("alice has no lease \(misfits)")
                break
            }
            let end = AttemptEnd(.unfit, error: Self.error)
            _ = bench.machine.attemptReported(holding.lease, worker: alice, end, now: now)
            _ = bench.machine.attemptRecorded(holding.lease, state: .pending, failures: 0, now: now)
        }
        return bench
    }

    @Test(arguments: [true, false])
    func runWhoseFitWorkersAreGoneStopsWithTheReason(says: Bool) {
        var bench = aliceIsSetAside()
        // Bob says goodbye, or falls silent.
        let gone = Duration.seconds(says ? 61 : 71)
        if says { _ = bench.machine.workerLeft(bob, now: gone) }
        _ = bench.machine.workerReported(alice, held: [], now: gone)
        #expect(bench.machine.timePassed(now: gone).contains(.dismiss(bob)) == !says)
        _ = bench.machine.attemptRecorded(lease(1), state: .pending, failures: 0, now: gone)
        for seconds in 1..<30 {
            let now = gone + .seconds(seconds)
            _ = bench.machine.workerReported(alice, held: [], now: now)
            #expect(bench.machine.timePassed(now: now) == [])
        }
        let end = gone + Self.grace
        let finish = DispatchAction.finish(.stopped(reason: "no worker can do this job: \(Self.error)"))
        #expect(bench.machine.timePassed(now: end) == [.tell(alice, .drain), finish])
    }

    @Test func workerThatComesInTimeGetsTheShards() {
        var bench = aliceIsSetAside()
        _ = bench.machine.workerLeft(bob, now: .seconds(61))
        _ = bench.machine.attemptRecorded(lease(1), state: .pending, failures: 0, now: .seconds(61))
        _ = bench.machine.timePassed(now: .seconds(61))
        bench.join(bob, now: .seconds(90))
        _ = bench.machine.workerReported(alice, held: [], now: .seconds(90))
        #expect(bench.machine.timePassed(now: .seconds(91)) == [])
        #expect(bench.machine.misfitSince == nil)
        #expect(bench.holder(of: 0) == bob || bench.holder(of: 1) == bob)
    }

    /// Without any worker the run waits, as at its beginning.
    @Test func runWithoutAnyWorkerWaits() {
        var bench = aliceIsSetAside()
        for worker in [alice, bob] { _ = bench.machine.workerLeft(worker, now: .seconds(61)) }
        _ = bench.machine.attemptRecorded(lease(1), state: .pending, failures: 0, now: .seconds(61))
        #expect(bench.machine.timePassed(now: .seconds(61)) == [])
        #expect(bench.machine.timePassed(now: .seconds(1000)) == [])
        #expect(bench.machine.phase == .dispatching)
    }

    /// While the ledger is away nobody gets a lease, so nothing is waited for in vain.
    @Test func timeWithoutTheLedgerDoesNotCount() {
        var bench = aliceIsSetAside()
        _ = bench.machine.workerLeft(bob, now: .seconds(61))
        _ = bench.machine.timePassed(now: .seconds(61))
        bench.machine.ledgerLost()
        for seconds in stride(from: 65, through: 200, by: 5) {
            _ = bench.machine.workerReported(alice, held: [], now: .seconds(seconds))
            #expect(bench.machine.timePassed(now: .seconds(seconds)) == [])
        }
        #expect(bench.machine.misfitSince == nil)
    }
}
