import Sharding
import Testing

@testable import Report

private let (a, b) = (WorkerID("a"), WorkerID("b"))
private let (alpha, beta) = (ProcessName(host: "alpha", pid: 1), ProcessName(host: "beta", pid: 2))

private func model(startsWorkers: Bool = true) -> ReportModel {
    ReportModel(
        run: RunID(3), job: "job", rowsEstimated: 100, rowsDone: 0, startsWorkers: startsWorkers, now: .zero)
}

private func held(_ shard: Int32 = 1, sequence: Int64 = 1) -> HeldLease {
    HeldLease(lease: Lease(shard: ShardID(shard), epoch: Epoch(1)), sequence: sequence, rowsDone: 0)
}

extension ReportModel {
    fileprivate func conditions(at seconds: Int = 0) -> [RunCondition] { report(now: .seconds(seconds)).conditions }
}

@Suite struct ConditionTests {
    private static let wait = WorkerWait(
        words: "waits for pid 7 at id 5", cause: FailureCause(kind: .held, key: Key("5"), holder: 7))

    /// All conditions hold at once. Each ends by its own event, and no event ends another condition.
    @Test func allThatHoldAreShownAtOnceTheMostImportantFirst() {
        var model = model()
        model.workerJoined(a, alpha, now: .zero)
        model.workerJoined(b, beta, now: .zero)
        model.workerReported(a, WorkerSample(held: held(), wait: Self.wait, step: "waiting"), now: .seconds(1))
        model.workerAsked(WorkerID("c"), ProcessName(host: "c", pid: 3), problem: "no room")
        model.localWorkersEnded(times: 2, limit: 5, reason: "status 1")
        model.databaseLost(reason: "gone", now: .seconds(50))
        model.ledgerMetLock(reason: "lock timeout", now: .seconds(55))
        model.windDownBegan(.draining)
        model.workerReported(
            a, WorkerSample(held: held(), wait: Self.wait, step: "waiting", stepFor: .seconds(59)), now: .seconds(60))
        let stall = Stall(
            since: .seconds(60),
            holders: [Stall.Holder(process: alpha, shard: ShardID(1), step: "waiting", stepFor: .seconds(59))])
        var expected: [RunCondition] = [
            .windingDown(.draining), .databaseAway(reason: "gone", since: .seconds(11)),
            .ledgerLocked(reason: "lock timeout", since: .seconds(6)),
            .workersEnd(times: 2, limit: 5, reason: "status 1"), .stalled(stall),
            .cannotBegin(ProcessName(host: "c", pid: 3), reason: "no room"),
            .workerSilent(beta, since: .seconds(61)), .workerWaits(alpha, ShardID(1), Self.wait),
        ]
        #expect(model.conditions(at: 61) == expected)
        #expect(model.report(now: .seconds(61)).conditionsLeftOut == 0)
        let ends: [(String, (inout ReportModel) -> Void, Int)] = [
            ("the worker goes on", { $0.workerReported(a, WorkerSample(held: held()), now: .seconds(61)) }, 7),
            ("it is heard", { $0.workerReported(b, WorkerSample(), now: .seconds(61)) }, 6),
            ("it can begin", { $0.workerJoined(WorkerID("c"), beta, now: .seconds(61)) }, 5),
            ("a batch commits", { $0.workerReported(a, WorkerSample(held: held(sequence: 2)), now: .seconds(61)) }, 4),
            ("one has joined", { $0.localWorkersEnded(times: 0, limit: 5, reason: "") }, 3),
            ("the lock is free", { $0.ledgerAnswered() }, 2), ("the database is back", { $0.databaseFound() }, 1),
        ]
        for (name, end, index) in ends {
            end(&model)
            expected.remove(at: index)
            #expect(model.conditions(at: 61).map(kind) == expected.map(kind), "\(name)")
        }
        #expect(model.conditions(at: 61) == [.windingDown(.draining)])
    }

    /// A condition without its figures.
    private func kind(_ condition: RunCondition) -> String { String("\(condition)".prefix { $0 != "(" }) }

    @Test func aWorkersHelloDoesNotEraseThatTheDatabaseIsAway() {
        var model = model(startsWorkers: false)
        model.databaseLost(reason: "gone", now: .seconds(1))
        #expect(model.conditions(at: 3) == [.databaseAway(reason: "gone", since: .seconds(2)), .noWorkers])
        model.workerAsked(a, alpha, problem: nil)
        model.workerJoined(a, alpha, now: .seconds(3))
        #expect(model.conditions(at: 3) == [.databaseAway(reason: "gone", since: .seconds(2))])
        // The reason is the newest one; the time is that of the loss.
        model.databaseLost(reason: "refused", now: .seconds(4))
        #expect(model.conditions(at: 5) == [.databaseAway(reason: "refused", since: .seconds(4))])
        model.databaseFound()
        #expect(model.conditions(at: 5) == [])
        model.databaseLost(reason: "again", now: .seconds(7))
        #expect(model.conditions(at: 7) == [.databaseAway(reason: "again", since: .zero)])
    }

    @Test func serverThatTakesNoWritesIsToldApartFromOneThatIsAway() {
        var model = model()
        model.databaseLost(reason: "shut down", now: .seconds(1))
        model.databaseLost(reason: "read-only", isReadOnly: true, now: .seconds(3))
        #expect(model.conditions(at: 4) == [.databaseReadOnly(reason: "read-only", since: .seconds(3))])
        model.databaseLost(reason: "no route", now: .seconds(5))
        #expect(model.conditions(at: 6) == [.databaseAway(reason: "no route", since: .seconds(5))])
        model.databaseLost(reason: "read-only", isReadOnly: true, now: .seconds(7))
        model.databaseFound()
        #expect(model.conditions(at: 8) == [])
    }

    @Test func runWithoutWorkersWaitsForSomeUnlessItStartsThemOrIsOver() {
        var model = model(startsWorkers: false)
        #expect(model.conditions() == [.noWorkers])
        model.workerJoined(a, alpha, now: .zero)
        #expect(model.conditions() == [])
        // After the last worker has left, the run waits for workers again.
        model.workerLeft(a, now: .zero)
        #expect(model.conditions() == [.noWorkers])
        model.shardsCounted(ShardCounts(done: 3, failed: 1))
        #expect(model.conditions() == [])
        model.shardsCounted(ShardCounts(pending: 1, done: 3))
        model.windDownBegan(.draining)
        #expect(model.conditions() == [.windingDown(.draining)])
    }

    @Test func everyHostThatIsAwayIsShownUntilItIsBackOrTheRunEnds() {
        var model = model()
        let troubles = ["db1", "db2"].map { HostTrouble(host: $0, reason: "refused", retryAt: .seconds(9)) }
        model.hostsLookedAt(troubles)
        #expect(
            model.conditions(at: 2) == [
                .hostAway("db1", reason: "refused", retryIn: .seconds(7)),
                .hostAway("db2", reason: "refused", retryIn: .seconds(7)),
            ])
        // It is about to be tried again.
        #expect(model.conditions(at: 10).first == .hostAway("db1", reason: "refused", retryIn: .zero))
        model.hostsLookedAt([troubles[1]])
        #expect(model.conditions(at: 2) == [.hostAway("db2", reason: "refused", retryIn: .seconds(7))])
        model.windDownBegan(.draining)
        #expect(model.conditions(at: 2) == [.windingDown(.draining)])
    }

    @Test func coordinatorThatStartsItsWorkersDoesNotWaitForOthers() {
        #expect(model().conditions() == [])
    }

    @Test(
        arguments: [
            ([.draining, .cancelling], .cancelling), ([.cancelling, .draining], .cancelling),
            ([.draining, .pausing(by: "ann")], .pausing(by: "ann")),
            ([.pausing(by: "ann"), .draining], .pausing(by: "ann")),
            ([.draining, .stopping(reason: "no table")], .stopping(reason: "no table")),
            ([.cancelled, .cancelling, .stopping(reason: "x")], .cancelled),
            ([.stopping(reason: "first"), .stopping(reason: "second")], .stopping(reason: "first")),
        ] as [([WindDown], WindDown)])
    func theEndThatIsFurtherGoneIsShown(told: [WindDown], shown: WindDown) {
        var model = model()
        for windDown in told { model.windDownBegan(windDown) }
        #expect(model.conditions() == [.windingDown(shown)])
    }

    @Test func lossOfTheDatabaseEndsTheWaitForALockInIt() {
        var model = model()
        model.ledgerMetLock(reason: "lock timeout", now: .seconds(1))
        model.ledgerMetLock(reason: "lock timeout", now: .seconds(6))
        #expect(model.conditions(at: 7) == [.ledgerLocked(reason: "lock timeout", since: .seconds(6))])
        model.databaseLost(reason: "lock timeout", now: .seconds(7))
        #expect(model.conditions(at: 7) == [.databaseAway(reason: "lock timeout", since: .zero)])
    }

    @Test func processesThatCannotBeStartedAreToldAsLongAsTheyAreTried() {
        var model = model()
        model.localWorkersSpawned(fault: "too many processes")
        #expect(model.conditions() == [.cannotSpawn(reason: "too many processes")])
        model.localWorkersSpawned(fault: nil)
        #expect(model.conditions() == [])
        model.localWorkersSpawned(fault: "too many processes")
        model.windDownBegan(.draining)
        #expect(model.conditions() == [.windingDown(.draining)])
    }

    @Test func whatHoldsOfAWorkerEndsWhenItLeaves() {
        var model = model()
        model.workerJoined(a, alpha, now: .zero)
        model.workerReported(a, WorkerSample(held: held(), wait: Self.wait), now: .zero)
        model.workerAsked(b, beta, problem: "no room")
        #expect(model.conditions(at: 5).count == 3)
        model.workerLeft(a, now: .seconds(5))
        model.workerLeft(b, now: .seconds(5))
        #expect(model.conditions(at: 5) == [])
    }

    @Test func conditionsAreBoundedInNumberAndLength() {
        var model = model()
        let long = String(repeating: "x", count: 1000)
        for number in 1...20 {
            let id = WorkerID("w\(number)")
            model.workerJoined(id, ProcessName(host: "h", pid: Int32(number)), now: .zero)
            model.workerReported(id, WorkerSample(held: held(), wait: WorkerWait(words: long)), now: .zero)
        }
        model.databaseLost(reason: long, now: .zero)
        let report = model.report(now: .zero)
        #expect(report.conditions.count == RunCondition.limit)
        #expect(report.conditionsLeftOut == 21 - RunCondition.limit)
        guard case .databaseAway(let reason, _) = report.conditions[0],
            case .workerWaits(_, _, let wait) = report.conditions[1]
        else {
            Issue.record("\(report.conditions)")
            return
        }
        #expect(reason.count == RunCondition.reasonLength && wait.words.count == RunCondition.reasonLength)
    }

    /// Any process may say HELLO, under any number of names.
    @Test func guestsThatCannotBeginAreBoundedInNumber() {
        var model = model()
        for number in 0..<(Hindrances.beginnerLimit + 20) {
            model.workerAsked(WorkerID("g\(number)"), alpha, problem: "no room")
        }
        let report = model.report(now: .zero)
        #expect(report.conditions.count + report.conditionsLeftOut == Hindrances.beginnerLimit)
        // A guest that is known already can still change what it says.
        model.workerAsked(WorkerID("g0"), alpha, problem: nil)
        #expect(model.report(now: .zero).conditionsLeftOut == Hindrances.beginnerLimit - RunCondition.limit - 1)
    }
}

@Suite struct StallTests {
    private func report(_ model: inout ReportModel, _ id: WorkerID, sequence: Int64, at second: Int) {
        model.workerReported(
            id, WorkerSample(held: held(sequence: sequence), step: "computing", stepFor: .seconds(second)),
            now: .seconds(second))
    }

    private func stall(_ model: ReportModel, at second: Int) -> Stall? {
        for case .stalled(let stall) in model.conditions(at: second) { return stall }
        return nil
    }

    @Test func runWithoutACommitForTheLimitSaysWhatEachWorkerDoes() {
        var model = model()
        model.workerJoined(a, alpha, now: .zero)
        report(&model, a, sequence: 1, at: 1)
        report(&model, a, sequence: 2, at: 50)
        report(&model, a, sequence: 2, at: 100)
        #expect(stall(model, at: 109) == nil)
        let holder = Stall.Holder(process: alpha, shard: ShardID(1), step: "computing", stepFor: .seconds(100))
        #expect(stall(model, at: 110) == Stall(since: .seconds(60), holders: [holder]))
        // A commit ends the stall.
        report(&model, a, sequence: 3, at: 115)
        #expect(stall(model, at: 174) == nil)
        #expect(stall(model, at: 175)?.since == .seconds(60))
    }

    @Test func runWhoseWorkersHoldNothingSaysSo() {
        var model = model()
        model.workerJoined(a, alpha, now: .zero)
        report(&model, a, sequence: 1, at: 1)
        model.workerReported(a, WorkerSample(), now: .seconds(2))
        #expect(stall(model, at: 90) == Stall(since: .seconds(89)))
        model.shardsCounted(ShardCounts(done: 4))
        #expect(stall(model, at: 90) == nil)
    }

    @Test func onlySomeOfManyWorkersAreNamed() {
        var model = model()
        for number in 1...5 {
            let id = WorkerID("w\(number)")
            model.workerJoined(id, ProcessName(host: "h", pid: Int32(number)), now: .zero)
            report(&model, id, sequence: 1, at: 0)
        }
        let named = stall(model, at: 60)
        #expect(named?.holders.map(\.process?.pid) == [1, 2, 3])
        #expect(named?.others == 2)
    }
}

@Suite struct CauseTests {
    @Test func theLastErrorsCauseOfAShardIsKept() {
        var model = model()
        let cause = FailureCause(kind: .permanent, sqlState: "22003", key: Key("7"), column: "n", effect: .rolledBack)
        model.attemptEnded(ShardID(1), cause: FailureCause(kind: .retryable))
        model.attemptEnded(ShardID(1), cause: cause)
        #expect(model.cause(of: ShardID(1)) == cause)
        #expect(model.cause(of: ShardID(2)) == FailureCause())
        // The next attempt ended with its worker's process, and nothing is known of the cause.
        model.attemptEnded(ShardID(1), cause: FailureCause())
        #expect(model.cause(of: ShardID(1)) == FailureCause())
    }

    @Test func causesAreBoundedInNumber() {
        var model = model()
        let cause = FailureCause(kind: .permanent)
        for shard in 0...ReportModel.causeLimit { model.attemptEnded(ShardID(Int32(shard)), cause: cause) }
        #expect(model.cause(of: ShardID(0)) == cause)
        #expect(model.cause(of: ShardID(Int32(ReportModel.causeLimit))) == FailureCause())
        model.attemptEnded(ShardID(0), cause: FailureCause(kind: .program))
        #expect(model.cause(of: ShardID(0)).kind == .program)
    }
}
