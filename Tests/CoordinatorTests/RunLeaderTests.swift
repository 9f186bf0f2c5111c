import Dispatching
import Host
import LedgerQueueing
import Logging
import Report
import Sharding
import Support
import Testing
import Wire

@testable import Coordinator
@testable import Ledger

@Suite struct RunLeaderTests {
    private static let ownership = Ownership(run: RunID(1), coordinator: WorkerID("leader"), term: 3)

    private static func leader() -> RunLeader { RunLeader(ownership, RunLeader.Configuration(job: "j"), seed: 1) }

    /// A leader whose run has these shards, all pending. It asks nothing of the ledger.
    private static func loaded(_ shards: Int32) -> RunLeader {
        var leader = leader()
        #expect(leader.began(now: .zero) == [.ask(.dispatch(.reload))])
        #expect(leader.answered(.shardsLoaded((0..<shards).map { record($0) }), now: .zero) == [])
        return leader
    }

    private static let request = LedgerTask.dispatch(.recordLease(ShardID(0), worker: alice, after: Epoch(0)))

    /// A leader whose worker alice holds the first shard.
    private static func leased(_ shards: Int32 = 1, isLocal: Bool = false) -> RunLeader {
        var leader = loaded(shards)
        #expect(leader.heard(event(joined, isLocal: isLocal), now: .zero).deeds == [.ask(request)])
        let assigned = LeaderAction.send(.assign(lease(0), batchRows: 0), to: alice)
        #expect(leader.answered(.leaseRecorded(lease(0), worker: alice, sequence: 0), now: .zero) == [assigned])
        return leader
    }

    private static func failed(_ lease: Lease, _ end: AttemptEnd) -> LedgerTask {
        .dispatch(.recordAttempt(lease, worker: alice, end, attempts: RetryPolicy().attempts))
    }

    // MARK: - The run's way

    @Test func runIsCompleteByTheLedgersCountAndEndsWhenItsWorkersHaveLeft() {
        var leader = Self.leased()
        let confirm = LeaderAction.ask(.dispatch(.confirm(ShardID(0))))
        #expect(leader.heard(event(.shardDone(lease(0))), now: .seconds(1)) == [confirm])
        let done = LedgerAnswer.shardRead(record(0, .done, epoch: 1))
        #expect(leader.answered(done, now: .seconds(1)) == [.ask(.dispatch(.conclude))])
        #expect(leader.written == .running)
        let ended = leader.answered(.concluded(ShardCounts(done: 1)), now: .seconds(1))
        #expect(ended == [.send(.drain, to: alice), .dismissAll])
        #expect(leader.written == .complete)
        #expect(leader.workersLookedAfter(haveSaidGoodbye: false, areGone: false, now: .seconds(1)) == [])
        #expect(leader.heard(event(.left(reason: "")), now: .seconds(2)) == [])
        let last = leader.workersLookedAfter(haveSaidGoodbye: true, areGone: false, now: .seconds(2))
        guard case .writeFigures(let records)? = last.first, last.count == 1 else {
            Issue.record("\(last)")
            return
        }
        #expect(records.map(\.id) == [alice])
        #expect(leader.figuresWritten(now: .seconds(2)) == [])
        let end = leader.workersLookedAfter(haveSaidGoodbye: true, areGone: true, now: .seconds(2))
        #expect(end == [.end(.finished)])
        #expect(leader.ending == .over)
    }

    /// Another could say so too, and one that nobody contradicts is at fault itself.
    @Test(arguments: [false, true]) func runIsStoppedByAForeignWorkerOnlyIfItIsNotAloneInSayingSo(twoSay: Bool) {
        var leader = Self.leased(3)
        #expect(leader.heard(event(joined, of: bob), now: .zero).deeds.count == 1)
        _ = leader.answered(.leaseRecorded(lease(1), worker: bob, sequence: 0), now: .zero)
        func says(_ worker: WorkerID, of number: Int32) -> [LeaderAction] {
            let failure = ShardFailure(lease: lease(number), error: "another table", scope: .run)
            return leader.heard(event(.shardFailed(failure), of: worker), now: .seconds(1))
        }
        let drain = LeaderAction.send(.drain, to: bob)
        let first = says(alice, of: 0)
        #expect(!first.contains(drain))
        #expect(first.contains { if case .announce(.workerUnfit) = $0 { true } else { false } })
        guard twoSay else {
            // What is not its lease counts for nothing.
            #expect(!says(bob, of: 2).contains(drain))
            return
        }
        #expect(says(bob, of: 1).contains(drain))
    }

    @Test func leaseOfARevokedWorkerEndsAtOnceAndCostsTheShardNothing() {
        var leader = Self.leased()
        let end = AttemptEnd(.released, error: "the worker's key db1 was revoked")
        let actions = leader.heard(event(.revoked(key: "db1")), now: .seconds(1))
        let told = RunEvent.workerRevoked(ProcessName(host: "north", pid: 7), key: "db1")
        #expect(actions.contains(.announce(told)))
        let attempt = LedgerTask.dispatch(.recordAttempt(lease(0), worker: alice, end, attempts: 0))
        #expect(actions.contains(.ask(.left(alice))) || actions.contains(.ask(attempt)))
        // The queue asks one after another: the rest follows on the first answer.
        let next = leader.answered(.done, now: .seconds(1))
        #expect((actions + next).contains(.ask(attempt)))
    }

    @Test func drainedRunIsGivenBackBeforeTheEnd() {
        var leader = Self.leased()
        #expect(leader.drainRequested(now: .seconds(1)) == [.send(.drain, to: alice)])
        let release = AttemptEnd(.released)
        let attempt = LedgerTask.dispatch(.recordAttempt(lease(0), worker: alice, release, attempts: 0))
        #expect(leader.heard(event(.leaseReleased(lease(0))), now: .seconds(2)) == [.ask(attempt)])
        let recorded = LedgerAnswer.attemptRecorded(lease(0), release, state: .pending, failures: 0)
        #expect(leader.answered(recorded, now: .seconds(2)) == [.dismissAll, .ask(.release(cancelled: false))])
        // The workers may have left already, but the run's state is not written yet.
        #expect(leader.workersLookedAfter(haveSaidGoodbye: true, areGone: true, now: .seconds(2)) == [])
        #expect(leader.answered(.released(.paused), now: .seconds(3)) == [])
        #expect(leader.written == .paused)
        let last = leader.workersLookedAfter(haveSaidGoodbye: true, areGone: true, now: .seconds(3))
        #expect(last == [.writeFigures(leader.lastFigures)])
    }

    @Test func pausedRunIsDrainedAndGivenBackAndWhoAskedIsToldOnce() {
        var leader = Self.leased(2)
        #expect(leader.timePassed(now: .seconds(1)).deeds == [.ask(.renew)])
        let asked = LedgerAnswer.renewed(cancelAsked: false, pausedBy: "ann on far")
        let told = LeaderAction.announce(.pauseAsked(by: "ann on far"))
        #expect(leader.answered(asked, now: .seconds(1)) == [told, .send(.drain, to: alice)])
        #expect(leader.report(now: .seconds(1)).conditions == [.windingDown(.pausing(by: "ann on far"))])
        #expect(!leader.wantsWorkers)
        // Ctrl-C changes nothing any more, and the next renewal says the same again.
        #expect(leader.drainRequested(now: .seconds(1)) == [])
        let released = leader.heard(event(.leaseReleased(lease(0))), now: .seconds(1))
        let attempt = LedgerTask.dispatch(.recordAttempt(lease(0), worker: alice, AttemptEnd(.released), attempts: 0))
        #expect(released == [.ask(attempt)])
        let recorded = LedgerAnswer.attemptRecorded(lease(0), AttemptEnd(.released), state: .pending, failures: 0)
        #expect(leader.answered(recorded, now: .seconds(1)) == [.dismissAll, .ask(.release(cancelled: false))])
        #expect(leader.answered(.released(.paused), now: .seconds(1)) == [])
        #expect(leader.written == .paused)
    }

    @Test func renewalThatRepeatsTheRequestForAPauseTellsNothingAnew() {
        var leader = Self.leased()
        let asked = LedgerAnswer.renewed(cancelAsked: false, pausedBy: "ann on far")
        #expect(leader.timePassed(now: .seconds(1)).deeds == [.ask(.renew)])
        #expect(!leader.answered(asked, now: .seconds(1)).isEmpty)
        #expect(leader.timePassed(now: .seconds(2)).deeds == [.ask(.renew)])
        #expect(leader.answered(asked, now: .seconds(2)).filter { $0 != .ask(.note) } == [])
        // A cancel still goes further.
        _ = leader.answered(.noted(nil), now: .seconds(2))
        #expect(leader.timePassed(now: .seconds(3)).deeds == [.ask(.renew)])
        _ = leader.answered(.renewed(cancelAsked: true, pausedBy: nil), now: .seconds(3))
        #expect(leader.report(now: .seconds(3)).conditions.first == .windingDown(.cancelling))
    }

    @Test func paceOfTheLedgerIsToldOnceAndTurnsAreGrantedByIt() {
        var leader = Self.leased()
        #expect(leader.timePassed(now: .seconds(1)).deeds == [.ask(.renew)])
        let pace = Pace(writers: 1, rowsPerSecond: 100, by: "ann on far")
        let answered = leader.answered(.renewed(cancelAsked: false, pace: pace), now: .seconds(1))
        #expect(answered == [.announce(.paceChanged(pace)), .changeTurns(.forPace)])
        #expect(leader.report(now: .seconds(1)).conditions == [.paced(pace)])
        // It begins without rows, and has some a moment later.
        #expect(leader.heard(event(.turnWanted(rows: 0)), now: .seconds(1)) == [])
        let granted = leader.timePassed(now: .milliseconds(1100))
        #expect(granted.contains { if case .send(.turn, alice) = $0 { true } else { false } }, "\(granted)")
        #expect(leader.timePassed(now: .seconds(2)).deeds.contains(.ask(.renew)))
        #expect(
            leader.answered(.renewed(cancelAsked: false, pace: pace), now: .seconds(2)).filter { $0 != .ask(.note) }
                == [])
        _ = leader.answered(.noted(nil), now: .seconds(2))
        #expect(leader.timePassed(now: .seconds(3)).deeds == [.ask(.renew)])
        let lifted = leader.answered(.renewed(cancelAsked: false), now: .seconds(3))
        #expect(lifted == [.announce(.paceChanged(nil)), .changeTurns(.none)])
        #expect(leader.report(now: .seconds(3)).conditions == [])
    }

    @Test func runThatCannotGoOnEndsWithItsReason() {
        var leader = Self.loaded(1)
        _ = leader.heard(event(joined), now: .zero)
        _ = leader.answered(.leaseRecorded(lease(0), worker: alice, sequence: 0), now: .zero)
        let fault = ShardFailure(lease: lease(0), error: "its table is gone", scope: .run)
        _ = leader.heard(event(.shardFailed(fault)), now: .seconds(1))
        let end = AttemptEnd(.released, error: "its table is gone")
        _ = leader.answered(.attemptRecorded(lease(0), end, state: .pending, failures: 0), now: .seconds(1))
        _ = leader.answered(.released(.paused), now: .seconds(1))
        _ = leader.workersLookedAfter(haveSaidGoodbye: true, areGone: true, now: .seconds(1))
        _ = leader.figuresWritten(now: .seconds(1))
        let last = leader.workersLookedAfter(haveSaidGoodbye: true, areGone: true, now: .seconds(1))
        #expect(last == [.end(.stopped(.cannotGoOn("its table is gone")))])
    }

    // MARK: - The end of the term

    @Test func oustedLeaderEndsAtOnceAndDoesNothingAfter() {
        var leader = Self.leased(2)
        let renewal = leader.timePassed(now: .seconds(1))
        #expect(renewal.deeds == [.ask(.renew)])
        #expect(leader.answered(.refused, now: .seconds(1)) == [.inquire])
        #expect(leader.standingRead(.taken, now: .seconds(1)).deeds == [.end(.stopped(.ousted))])
        #expect(leader.timePassed(now: .seconds(2)) == [])
        #expect(leader.heard(event(.leaseReleased(lease(0))), now: .seconds(2)).deeds == [])
        #expect(leader.answered(.done, now: .seconds(2)) == [])
        #expect(leader.workersCannotStart(now: .seconds(2)) == [])
    }

    @Test func cancelledRunIsLeftThoughBatchesAreUnderWay() {
        var leader = Self.leased()
        _ = leader.timePassed(now: .seconds(1))
        _ = leader.answered(.refused, now: .seconds(1))
        let deeds = leader.standingRead(.cancelled, now: .seconds(1)).deeds
        #expect(deeds == [.send(.drain, to: alice), .dismissAll, .ask(.release(cancelled: true))])
        #expect(leader.written == .cancelled)
    }

    /// Somebody paused it while this coordinator's session was lost.
    @Test func pausedRunIsLeftThoughBatchesAreUnderWay() {
        var leader = Self.leased()
        _ = leader.timePassed(now: .seconds(1))
        _ = leader.answered(.refused, now: .seconds(1))
        let deeds = leader.standingRead(.paused(by: "ann on far"), now: .seconds(1)).deeds
        #expect(deeds == [.send(.drain, to: alice), .dismissAll, .ask(.release(cancelled: false))])
        #expect(leader.report(now: .seconds(1)).conditions == [.windingDown(.pausing(by: "ann on far"))])
        #expect(leader.answered(.refused, now: .seconds(1)).filter { if case .end = $0 { true } else { false } } == [])
        #expect(leader.written == .paused)
    }

    @Test func endThatTheServiceHasDecidedIsNotRepeated() {
        var leader = Self.leased()
        leader.serviceEnded()
        #expect(leader.timePassed(now: .seconds(20)) == [])
        #expect(leader.drainRequested(now: .seconds(20)).contains(.end(.finished)) == false)
    }

    // MARK: - A lost ledger

    @Test func failureThatIsReportedWhileTheLedgerIsAwayCountsAfterwards() {
        var leader = Self.leased()
        _ = leader.timePassed(now: .seconds(1))
        let lost = leader.failed(failure(.away, "no route"), now: .seconds(1))
        #expect(lost == [.announce(.databaseLost(reason: "no route")), .ask(.renew)])
        let cause = FailureCause(kind: .retryable, sqlState: "22012", key: Key("7"))
        let fault = ShardFailure(lease: lease(0), error: "division by zero", scope: .attempt, cause: cause)
        #expect(leader.heard(event(.shardFailed(fault)), now: .seconds(2)) == [])
        #expect(leader.answered(.renewed(cancelAsked: false), now: .seconds(3)) == [.ask(.dispatch(.reload))])
        let end = AttemptEnd(.failed, error: "division by zero", cause: cause)
        let records = [record(0, .running, epoch: 1, owner: alice)]
        #expect(leader.answered(.shardsLoaded(records), now: .seconds(3)) == [.ask(Self.failed(lease(0), end))])
        let recorded = LedgerAnswer.attemptRecorded(lease(0), end, state: .pending, failures: 1)
        let told = leader.answered(recorded, now: .seconds(3))
        // The shard is not leased again before its backoff has passed.
        let event = RunEvent.attemptEnded(ShardID(0), error: "division by zero", cause: cause, failed: false)
        #expect(told == [.announce(event)])
        #expect(leader.reports.cause(of: ShardID(0)) == cause)
    }

    /// The record was written, and its answer was lost with the connection.
    @Test(arguments: [ShardState.failed, .pending])
    func failureWhoseRecordHadCommittedIsToldAsItWas(state: ShardState) {
        var leader = Self.leased(2)
        let cause = FailureCause(kind: .permanent, sqlState: "22003", key: Key("7"))
        let fault = ShardFailure(lease: lease(0), error: "out of range", scope: .shard, cause: cause)
        let end = AttemptEnd(failedBy: .shard, error: "out of range", cause: cause)
        #expect(leader.heard(event(.shardFailed(fault)), now: .seconds(1)) == [.ask(Self.failed(lease(0), end))])
        _ = leader.failed(failure(.away), now: .seconds(1))
        _ = leader.answered(.renewed(cancelAsked: false), now: .seconds(2))
        let found = record(0, state, epoch: 1)
        _ = leader.answered(.shardsLoaded([found, record(1)]), now: .seconds(2))
        let told = leader.answered(.attemptVoid(lease(0), end, found), now: .seconds(2))
        let announced = RunEvent.attemptEnded(
            ShardID(0), error: "out of range", cause: cause, failed: state == .failed)
        #expect(told.first == .announce(announced))
        #expect(leader.reports.cause(of: ShardID(0)) == cause)
    }

    // MARK: - Workers

    @Test func silentWorkerIsDismissedAndItsShardTakenBack() {
        var leader = Self.leased()
        let deeds = leader.timePassed(now: .seconds(11)).deeds
        let end = AttemptEnd(.expired, error: "the worker was silent for 10.0 seconds")
        #expect(deeds == [.dismiss(alice), .ask(.left(alice))])
        #expect(leader.answered(.done, now: .seconds(11)) == [.ask(.renew)])
        let renewed = leader.answered(.renewed(cancelAsked: false), now: .seconds(11))
        #expect(renewed == [.ask(Self.failed(lease(0), end))])
    }

    @Test func processThatEndsGivesItsShardBackAndIsTold() {
        var leader = Self.leased(isLocal: true)
        let actions = leader.processEnded(
            7, worker: alice, hadJoined: true, reason: "killed by signal 9", failures: 0, now: .seconds(1))
        let told = RunEvent.workerEnded(pid: 7, reason: "killed by signal 9")
        #expect(actions == [.announce(told), .ask(.left(alice))])
        let end = AttemptEnd(.failed, error: "the worker's process ended: killed by signal 9")
        #expect(leader.answered(.done, now: .seconds(1)) == [.ask(Self.failed(lease(0), end))])
    }

    @Test func smallerBatchesAreToldOnceAndGoWithTheNextLease() {
        var leader = Self.leased(2)
        let held = HeldLease(lease: lease(0), sequence: 1, rowsDone: 10, batchRows: 500)
        let report = event(.reported(Heartbeat(held: [held])))
        #expect(
            leader.heard(report, now: .seconds(1)) == [.announce(.batchesShrunk(rows: 500)), .ask(.batchRows(500))])
        #expect(leader.heard(report, now: .seconds(2)) == [])
        _ = leader.answered(.done, now: .seconds(2))
        _ = leader.heard(event(joined, of: bob), now: .seconds(2))
        let second = LedgerAnswer.leaseRecorded(lease(1), worker: bob, sequence: 0)
        #expect(leader.answered(second, now: .seconds(2)) == [.send(.assign(lease(1), batchRows: 500), to: bob)])
    }

    /// Nothing hangs on the figures of the table.
    @Test func tableThatCannotBeMeasuredHoldsNothingUpAndIsMeasuredAgainLater() {
        var configuration = RunLeader.Configuration(job: "j")
        configuration.tableOID = 7
        var leader = RunLeader(Self.ownership, configuration, seed: 1)
        _ = leader.began(now: .zero)
        _ = leader.answered(.shardsLoaded([record(0)]), now: .zero)
        let due = RunLeader.measureInterval
        #expect(leader.timePassed(now: due).deeds == [.ask(.renew)])
        #expect(leader.answered(.renewed(cancelAsked: false), now: due) == [.ask(.note)])
        #expect(leader.figures(for: .note, now: due).measuredTable == 7)
        let told = leader.answered(.noted(.failed("it is locked")), now: due)
        #expect(told == [.log(.info, "the table's storage was not measured: it is locked")])
        #expect(leader.figures(for: .note, now: due + .seconds(9)).measuredTable == nil)
        #expect(leader.figures(for: .note, now: due * 2).measuredTable == 7)
    }

    // MARK: - Why local workers cannot start

    @Test(arguments: [
        LinkEvent.Kind.left(reason: "another database"), .refused(reason: "another database"),
        .asked(ProcessName(host: "north", pid: 7), problem: "another database"),
    ])
    func whatAForeignWorkerSaysIsNoReasonWhyLocalOnesCannotStart(kind: LinkEvent.Kind) {
        for (isLocal, reason) in [(false, "exit status 1"), (true, "another database")] {
            var leader = Self.loaded(1)
            _ = leader.heard(event(kind, isLocal: isLocal), now: .seconds(1))
            let ended = leader.processEnded(
                8, worker: nil, hadJoined: false, reason: "exit status 1", failures: 1, now: .seconds(1))
            #expect(ended == [])
            let deeds = leader.workersCannotStart(now: .seconds(1)).deeds
            #expect(deeds == [.end(.stopped(.workersCannotStart(reason: reason)))])
        }
    }

    @Test func whatKeptALocalWorkerFromStartingIsForgottenOnceOneHasJoined() {
        var leader = Self.loaded(1)
        _ = leader.heard(event(.refused(reason: "another database"), isLocal: true), now: .seconds(1))
        _ = leader.heard(event(joined, isLocal: true), now: .seconds(2))
        _ = leader.processEnded(
            8, worker: nil, hadJoined: false, reason: "exit status 1", failures: 5, now: .seconds(900))
        let deeds = leader.workersCannotStart(now: .seconds(900)).deeds
        #expect(deeds == [.end(.stopped(.workersCannotStart(reason: "exit status 1")))])
    }

    @Test func faultOfASpawnIsLoggedOnceAndIsTheReasonForTheEnd() {
        var leader = Self.loaded(1)
        let fault = "the program cannot be run: no such file"
        #expect(leader.workersSpawned(fault: fault, now: .seconds(1)) == [.log(.error, fault)])
        #expect(leader.workersSpawned(fault: fault, now: .seconds(2)) == [])
        #expect(leader.workersSpawned(fault: "too many processes", now: .seconds(3)).count == 1)
        #expect(leader.workersSpawned(fault: nil, now: .seconds(4)) == [])
        #expect(leader.workersSpawned(fault: fault, now: .seconds(5)) == [.log(.error, fault)])
        let deeds = leader.workersCannotStart(now: .seconds(6)).deeds
        #expect(deeds == [.end(.stopped(.workersCannotStart(reason: fault)))])
    }

    @Test func noWorkerIsSpawnedAfterTheDrainWasAskedForOrAfterTheEnd() {
        var leader = Self.leased()
        #expect(leader.wantsWorkers)
        _ = leader.timePassed(now: .seconds(1))
        // The database is away, so that the drain cannot begin.
        _ = leader.failed(failure(.away), now: .seconds(1))
        #expect(leader.wantsWorkers)
        _ = leader.drainRequested(now: .seconds(2))
        #expect(!leader.wantsWorkers)
        var other = Self.leased()
        other.serviceEnded()
        #expect(!other.wantsWorkers)
    }

    // MARK: - The clock

    /// A message that came during the freeze is handled before the next tick. It must not get the time of the freeze:
    /// the worker would count as heard in the future.
    @Test func workerThatDiesAfterAFreezeLivesNoLongerByIt() {
        var clock = PausingClock(at: .zero)
        var leader = Self.leased()
        _ = leader.timePassed(now: clock.read(at: .seconds(1)))
        // The process was frozen for a minute. The worker's last heartbeat waited in the socket.
        _ = leader.heard(event(.reported(Heartbeat())), now: clock.read(at: .seconds(61)))
        for second in 62...71 {
            let deeds = leader.timePassed(now: clock.read(at: .seconds(second))).deeds
            #expect(!deeds.contains(.dismiss(alice)), "at \(second) s")
        }
        #expect(leader.timePassed(now: clock.read(at: .seconds(72))).deeds.contains(.dismiss(alice)))
    }
}
