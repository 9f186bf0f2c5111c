import Sharding
import Testing

@testable import Dispatching

@Suite struct ExpiryTests {
    @Test func leaseExpiresAndShardIsReassignedWhenItsWorkerFallsSilent() {
        var bench = Bench.dispatching(1, [alice])
        #expect(bench.machine.timePassed(now: .seconds(10)) == [])
        let actions = bench.machine.timePassed(now: .seconds(11))
        #expect(actions.first == .dismiss(alice))
        guard case .ledger(.recordAttempt(lease(0), worker: alice, let end, attempts: 3))? = actions.last else {
            Issue.record("\(actions)")
            return
        }
        #expect(end.outcome == .expired)
        #expect(end.error?.contains("silent") == true)
        #expect(!end.permanent)
        // The shard must not be granted before the ledger has closed the attempt.
        #expect(bench.machine.workerJoined(bob, credit: 1, now: .seconds(11)) == [])
        #expect(bench.machine.attemptRecorded(lease(0), state: .pending, failures: 1, now: .seconds(11)) == [])
        #expect(
            bench.machine.timePassed(now: .seconds(13)) == [
                .ledger(.recordLease(shard(0), worker: bob, after: Epoch(1)))
            ])
    }

    @Test func anythingThatAWorkerSaysKeepsItAlive() {
        var bench = Bench.dispatching(1, [alice])
        _ = bench.machine.workerReported(alice, held: [held(lease(0))], now: .seconds(8))
        #expect(bench.machine.timePassed(now: .seconds(16)) == [])
        _ = bench.machine.attemptReported(lease(7), worker: alice, AttemptEnd(.failed), now: .seconds(16))
        #expect(bench.machine.timePassed(now: .seconds(24)) == [])
    }

    @Test func leaseIsTakenBackWhenItsBatchesDoNotAdvanceThoughItsWorkerIsHeard() {
        var bench = Bench.dispatching(1, [alice])
        func report(_ second: Int, sequence: Int64) -> [DispatchAction] {
            bench.machine.workerReported(alice, held: [held(lease(0), sequence: sequence)], now: .seconds(second))
        }
        for second in stride(from: 5, through: 50, by: 5) { #expect(report(second, sequence: 0) == []) }
        #expect(report(55, sequence: 1) == [])
        for second in stride(from: 60, through: 115, by: 5) {
            #expect(report(second, sequence: 1) == [])
            #expect(bench.machine.timePassed(now: .seconds(second)) == [])
        }
        let actions = bench.machine.timePassed(now: .seconds(116))
        #expect(actions.first == .tell(alice, .revoke(lease(0))))
        guard case .ledger(.recordAttempt(lease(0), worker: alice, let end, attempts: 3))? = actions.last else {
            Issue.record("\(actions)")
            return
        }
        #expect(end.outcome == .stalled)
    }

    @Test func outageOfTheDatabaseHoweverLongStallsNoLease() {
        var bench = Bench.dispatching(1, [alice])
        bench.machine.ledgerLost()
        for second in stride(from: 5, through: 600, by: 5) {
            #expect(bench.machine.workerReported(alice, held: [held(lease(0))], now: .seconds(second)) == [])
            #expect(bench.machine.timePassed(now: .seconds(second)) == [])
        }
        let records = [record(0, .running, epoch: 1, owner: alice)]
        #expect(bench.machine.shardsLoaded(records, now: .seconds(600)) == [])
        // The limit starts again from here.
        for second in stride(from: 605, through: 660, by: 5) {
            #expect(bench.machine.workerReported(alice, held: [held(lease(0))], now: .seconds(second)) == [])
            #expect(bench.machine.timePassed(now: .seconds(second)) == [])
        }
        #expect(bench.machine.timePassed(now: .seconds(661)).first == .tell(alice, .revoke(lease(0))))
    }

    @Test func aRevokeThatWasLostIsRepeatedWhileTheWorkerListsTheLease() {
        var bench = Bench.dispatching(1, [alice])
        for second in stride(from: 5, through: 60, by: 5) {
            _ = bench.machine.workerReported(alice, held: [held(lease(0))], now: .seconds(second))
        }
        _ = bench.machine.timePassed(now: .seconds(61))
        #expect(
            bench.machine.workerReported(alice, held: [held(lease(0))], now: .seconds(62))
                == [.tell(alice, .revoke(lease(0)))])
    }

    @Test func assignmentThatWasLostIsSentAgainAfterTheLedgerConfirmsIt() {
        var bench = Bench.dispatching(1, [alice])
        #expect(bench.machine.workerReported(alice, held: [], now: .seconds(2)) == [])
        #expect(bench.machine.workerReported(alice, held: [], now: .seconds(4)) == [.ledger(.confirm(shard(0)))])
        // The machine asks once in each grace period, not at each heartbeat.
        #expect(bench.machine.workerReported(alice, held: [], now: .seconds(5)) == [])
        #expect(
            bench.machine.shardRead(record(0, .running, epoch: 1, owner: alice), now: .seconds(5))
                == [.tell(alice, .assign(lease(0)))])
        #expect(bench.holder(of: 0) == alice)
    }

    @Test func doneReportThatWasLostIsFoundInTheLedger() {
        var bench = Bench.dispatching(1, [alice])
        #expect(bench.machine.workerReported(alice, held: [], now: .seconds(4)) == [.ledger(.confirm(shard(0)))])
        #expect(
            bench.machine.shardRead(record(0, .done, epoch: 1, owner: alice), now: .seconds(4)) == [.ledger(.conclude)])
        #expect(bench.phase(of: 0) == .done)
    }

    @Test func unknownWorkerIsAskedToJoinAgain() {
        var bench = Bench.dispatching(1)
        #expect(bench.machine.workerReported(alice, held: [], now: .zero) == [.tell(alice, .rejoin)])
        #expect(bench.machine.leases.isEmpty)
    }

    @Test func workerThatSaysHelloAgainKeepsItsLeases() {
        var bench = Bench.dispatching(2, [alice])
        #expect(bench.machine.workerJoined(alice, credit: 1, now: .seconds(9)) == [])
        #expect(bench.holder(of: 0) == alice)
        #expect(bench.machine.timePassed(now: .seconds(15)) == [])
    }

    @Test(arguments: AttemptEnd.Outcome.allCases)
    func workerThatLeftGivesBackItsLeases(outcome: AttemptEnd.Outcome) {
        var bench = Bench.dispatching(2, [alice])
        bench.join(alice, credit: 2)
        let end = AttemptEnd(outcome)
        let attempts = [.released, .unfit].contains(outcome) ? 0 : Bench.configuration.retry.attempts
        #expect(
            bench.machine.workerLeft(alice, as: end, now: .zero)
                == [lease(0), lease(1)].map {
                    .ledger(.recordAttempt($0, worker: alice, end, attempts: attempts))
                })
        #expect(bench.machine.workerLeft(alice, as: end, now: .zero) == [])
    }

    /// The leases that a worker lists but should not have are revoked.
    @Test func leaseThatIsOverIsRevokedFromAWorkerThatListsIt() {
        var bench = Bench()
        _ = bench.machine.shardsLoaded(
            [record(0, .done, epoch: 3), record(1, .failed, epoch: 3), record(2, .pending, epoch: 3)], now: .zero)
        _ = bench.machine.workerJoined(bob, credit: 1, now: .zero)
        _ = bench.machine.workerJoined(alice, credit: 1, now: .zero)
        let listed = [lease(0, 3), lease(1, 3), lease(2, 3), lease(2, 2), lease(9, 1)]
        #expect(
            bench.machine.workerReported(alice, held: listed.map { held($0) }, now: .zero)
                == [lease(0, 3), lease(1, 3), lease(2, 3), lease(2, 2)].map { .tell(alice, .revoke($0)) })
    }
}
