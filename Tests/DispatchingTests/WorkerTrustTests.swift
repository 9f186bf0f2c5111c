import Sharding
import Testing

@testable import Dispatching

/// Workers that the coordinator has not spawned: their word may be a lie, or their own fault.
@Suite struct WorkerTrustTests {
    private static let mallory = WorkerID("mallory")
    private static let eve = WorkerID("eve")
    private static let attempts = Bench.configuration.retry.attempts

    /// Mallory, and each of the others, holds a shard of its own.
    private static func bench(_ shards: Int32, _ others: [WorkerID], keys: Bool = true) -> Bench {
        var bench = Bench.dispatching(shards)
        for worker in [mallory] + others {
            bench.join(worker, origin: keys ? .key("key of \(worker)") : .unknown)
        }
        return bench
    }

    private static func attempt(_ actions: [DispatchAction]) -> (end: AttemptEnd, attempts: Int)? {
        for case .ledger(.recordAttempt(_, _, let end, let attempts)) in actions { return (end, attempts) }
        return nil
    }

    private static let broken = AttemptEnd(.failed, error: "no such column", permanent: true)

    @Test func creditIsWhatTheCoordinatorGivesNotWhatAWorkerAsks() {
        var bench = Bench.dispatching(100)
        bench.join(Self.mallory, credit: Int(UInt32.max), origin: .key("k"))
        bench.join(Self.eve, credit: Int(UInt32.max), origin: .unknown)
        #expect(bench.machine.leases.count == 2)
    }

    @Test(arguments: [true, false]) func shardFailsForGoodByTheWordOfTwoParties(keys: Bool) throws {
        var bench = Self.bench(2, [alice], keys: keys)
        let first = bench.machine.attemptReported(lease(0), worker: Self.mallory, Self.broken, now: .zero)
        let lie = try #require(Self.attempt(first))
        #expect(!lie.end.permanent && lie.attempts == DispatchStateMachine.anyAttempts)
        // It goes to the other one, whenever that is free, and not back.
        bench.grant(bench.machine.attemptRecorded(lease(0), state: .pending, failures: 1, now: .zero))
        bench.grant(bench.machine.timePassed(now: .seconds(9)), now: .seconds(9))
        #expect(bench.holder(of: 0) == nil)
        bench.grant(
            bench.machine.shardReportedDone(lease(1), worker: alice, now: .seconds(9)), now: .seconds(9))
        _ = bench.machine.shardRead(record(1, .done, epoch: 1), now: .seconds(9))
        #expect(bench.holder(of: 0) == alice)
        let second = bench.machine.attemptReported(lease(0, 2), worker: alice, Self.broken, now: .seconds(9))
        let word = try #require(Self.attempt(second))
        #expect(word.end.permanent && word.attempts == Self.attempts)
    }

    /// Silence and stalls cost a shard its attempts too.
    @Test func silenceOfOnePartyFailsNoShard() throws {
        var bench = Self.bench(2, [alice])
        _ = bench.machine.workerReported(alice, held: [held(lease(1))], now: .seconds(9))
        let actions = bench.machine.timePassed(now: .seconds(11))
        #expect(actions.contains(.dismiss(Self.mallory)))
        #expect(try #require(Self.attempt(actions)).attempts == DispatchStateMachine.anyAttempts)
    }

    @Test func workersWithOneKeyAreOneParty() throws {
        var bench = Bench.dispatching(2)
        for worker in [Self.mallory, Self.eve] { bench.join(worker, origin: .key("k")) }
        // There is nobody else to ask.
        let actions = bench.machine.attemptReported(lease(0), worker: Self.mallory, Self.broken, now: .zero)
        #expect(try #require(Self.attempt(actions)).end.permanent)
        bench.join(alice, origin: .key("another"))
        let other = bench.machine.attemptReported(lease(1), worker: Self.eve, Self.broken, now: .zero)
        #expect(try #require(Self.attempt(other)).end.permanent == false)
    }

    @Test func shardThatAllPartiesHaveFailedAtGoesToAnyOfThem() {
        var bench = Self.bench(1, [alice])
        var epoch: Int64 = 1
        for (second, worker) in [(0, Self.mallory), (20, alice), (40, Self.mallory)] {
            let now = Duration.seconds(second)
            for other in [Self.mallory, alice] {
                bench.grant(bench.machine.workerReported(other, held: [], now: now), now: now)
            }
            bench.grant(bench.machine.timePassed(now: now), now: now)
            #expect(bench.holder(of: 0) == worker)
            let end = AttemptEnd(.failed, error: "deadlock")
            _ = bench.machine.attemptReported(lease(0, epoch), worker: worker, end, now: now)
            bench.grant(
                bench.machine.attemptRecorded(lease(0, epoch), state: .pending, failures: 1, now: now), now: now)
            epoch += 1
        }
    }

    @Test func ownWorkersAreBelieved() throws {
        var bench = Bench.dispatching(2, [alice, bob])
        let actions = bench.machine.attemptReported(lease(0), worker: alice, Self.broken, now: .zero)
        #expect(try #require(Self.attempt(actions)).end.permanent)
        #expect(bench.machine.isBelieved(bob, toStopAt: lease(1)) == true)
    }

    @Test func runStopsByTheWordOfTwoPartiesThatHaveLeases() {
        var bench = Self.bench(3, [alice, Self.eve])
        #expect(bench.machine.isBelieved(Self.mallory, toStopAt: lease(0)) == false)
        #expect(bench.machine.isBelieved(Self.mallory, toStopAt: lease(0)) == false)
        // Not its lease, or not any more.
        #expect(bench.machine.isBelieved(alice, toStopAt: lease(0)) == false)
        #expect(bench.machine.isBelieved(alice, toStopAt: lease(1, 7)) == false)
        #expect(bench.machine.isBelieved(bob, toStopAt: lease(1)) == false)
        #expect(bench.machine.isBelieved(alice, toStopAt: lease(1)) == true)
        var alone = Self.bench(1, [])
        #expect(alone.machine.isBelieved(Self.mallory, toStopAt: lease(0)) == true)
    }

    /// Each lie had cost a lease, and a lease at once followed.
    @Test(arguments: [true, false]) func liarIsSetAside(saysDone: Bool) {
        var bench = Self.bench(2, [alice])
        var leases = 1
        for second in 0..<100 {
            let now = Duration.seconds(second)
            _ = bench.machine.workerReported(alice, held: [held(lease(1), sequence: Int64(second))], now: now)
            _ = bench.machine.workerReported(Self.mallory, held: [], now: now)
            _ = bench.machine.timePassed(now: now)
            guard case .leased(let holding)? = bench.phase(of: 0), holding.worker == Self.mallory else { continue }
            _ =
                saysDone
                ? bench.machine.shardReportedDone(holding.lease, worker: Self.mallory, now: now)
                : bench.machine.leaseReportedLost(holding.lease, worker: Self.mallory, now: now)
            let truth = record(0, .running, epoch: holding.lease.epoch.rawValue, owner: Self.mallory)
            _ = bench.machine.shardRead(truth, now: now)
            for delay in stride(from: 0.5, through: 10, by: 0.5) where leases < 10 {
                let later = now + .seconds(delay)
                let granted = bench.machine.timePassed(now: later)
                guard !granted.isEmpty else { continue }
                bench.grant(granted, now: later)
                leases += 1
                break
            }
        }
        #expect(leases == DispatchStateMachine.misfitLimit)
    }

    /// What it says in heartbeats proves nothing.
    @Test func onlyAShardThatTheLedgerHasDoneMakesGood() {
        func leases(provesAfterTwo: Bool) -> Int {
            var bench = Self.bench(9, [])
            var leases = 0
            for round in 0..<8 {
                let now = Duration.seconds(round * 20)
                _ = bench.machine.workerReported(Self.mallory, held: [], now: now)
                bench.grant(bench.machine.timePassed(now: now), now: now)
                guard let lease = bench.machine.leases.first?.lease else { break }
                leases += 1
                let told = held(lease, sequence: Int64(round + 1))
                _ = bench.machine.workerReported(Self.mallory, held: [told], now: now)
                // The next lease does not wait for the ledger's word of the last one.
                bench.grant(bench.machine.shardReportedDone(lease, worker: Self.mallory, now: now), now: now)
                let isDone = provesAfterTwo && round == 2
                _ = bench.machine.shardRead(
                    record(
                        lease.shard.rawValue, isDone ? .done : .running, epoch: lease.epoch.rawValue,
                        owner: Self.mallory), now: now)
            }
            return leases
        }
        #expect(leases(provesAfterTwo: false) == 4)
        #expect(leases(provesAfterTwo: true) == 7)
    }

    /// Whoever joins again under a new name is the same party.
    @Test func leasesOfAPartyThatProvesNothingAreBoundedInTime() {
        var bench = Bench.dispatching(1_000)
        var leases = 0
        // Four seconds, and a worker each 10 ms.
        for number in 0..<400 {
            let (worker, now) = (WorkerID("m\(number)"), Duration.milliseconds(number * 10))
            bench.join(worker, origin: .key("k"), now: now)
            let lease = bench.machine.leases.first?.lease
            _ = bench.machine.workerLeft(worker, now: now)
            guard let lease else { continue }
            leases += 1
            _ = bench.machine.attemptRecorded(lease, state: .pending, failures: 0, now: now)
        }
        #expect(leases > Int(LeaseBudget.burst))
        #expect(leases <= Int(LeaseBudget.burst + 4 * LeaseBudget.perSecond))
    }

    @Test func leasesOfAPartyThatDoesItsShardsAreNotBounded() {
        var bench = Self.bench(401, [])
        for number in 0..<400 {
            let now = Duration.milliseconds(number)
            guard let lease = bench.machine.leases.first?.lease else {
                Issue.record("no lease after \(number)")
                return
            }
            bench.grant(bench.machine.shardReportedDone(lease, worker: Self.mallory, now: now), now: now)
            _ = bench.machine.shardRead(
                record(lease.shard.rawValue, .done, epoch: lease.epoch.rawValue), now: now)
        }
    }

    /// It is heard, and says that it advances.
    @Test func leaseWithoutABatchInTheLedgerIsTakenBackWhateverItsWorkerSays() {
        var bench = Self.bench(1, [])
        var asked = 0
        var end: Duration?
        for second in 1..<1_000 where end == nil {
            let now = Duration.seconds(second)
            _ = bench.machine.workerReported(
                Self.mallory, held: [held(lease(0), sequence: Int64(second))], excused: true, now: now)
            for action in bench.machine.timePassed(now: now) {
                if action == .ledger(.confirm(shard(0))) {
                    asked += 1
                    _ = bench.machine.shardRead(record(0, .running, epoch: 1, owner: Self.mallory), now: now)
                }
                if case .ledger(.recordAttempt(_, _, let attempt, _)) = action {
                    #expect(attempt.outcome == .stalled)
                    end = now
                }
            }
        }
        #expect(asked > 5)
        #expect(end == bench.machine.unprovenAfter + .seconds(1))
    }

    @Test func leaseThatTheLedgerSeesAdvanceIsKept() {
        var bench = Self.bench(1, [])
        for second in 1..<3_000 {
            let now = Duration.seconds(second)
            let sequence = Int64(second / 100)
            _ = bench.machine.workerReported(
                Self.mallory, held: [held(lease(0), sequence: sequence)], excused: true, now: now)
            if bench.machine.timePassed(now: now).contains(.ledger(.confirm(shard(0)))) {
                _ = bench.machine.shardRead(
                    record(0, .running, epoch: 1, owner: Self.mallory, sequence: sequence), now: now)
            }
        }
        #expect(bench.holder(of: 0) == Self.mallory)
    }

    /// At a low pace a worker may wait for its turn for hours.
    @Test func leaseOfARunWhosePaceIsLimitedNeedsNoBatch() {
        var bench = Self.bench(1, [])
        bench.machine.paced(true, now: .zero)
        for second in 1..<3_000 {
            let now = Duration.seconds(second)
            _ = bench.machine.workerReported(
                Self.mallory, held: [held(lease(0), sequence: 0)], excused: true, now: now)
            #expect(bench.machine.timePassed(now: now) == [])
        }
        bench.machine.paced(false, now: .seconds(3_000))
        _ = bench.machine.workerReported(
            Self.mallory, held: [held(lease(0), sequence: 0)], excused: true, now: .seconds(3_001))
        #expect(bench.machine.timePassed(now: .seconds(3_001)) == [])
        #expect(bench.holder(of: 0) == Self.mallory)
    }

    @Test func turnsAreForThoseThatHaveLeases() {
        let bench = Self.bench(1, [alice])
        #expect(bench.machine.isLeasing(Self.mallory))
        #expect(!bench.machine.isLeasing(alice) && !bench.machine.isLeasing(bob))
    }
}
