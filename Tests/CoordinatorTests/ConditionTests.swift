import LedgerQueueing
import Postgres
import Report
import Sharding
import Support
import Testing
import Wire

@testable import Coordinator
@testable import Ledger

/// A term's leader tells the report when each condition begins and when it ends.
@Suite struct ConditionTests {
    private static let process = ProcessName(host: "north", pid: 7)

    /// A leader that has begun, whose run has one shard.
    private static func leader(hasLocalWorkers: Bool = false) -> RunLeader {
        var configuration = RunLeader.Configuration(job: "j")
        configuration.hasLocalWorkers = hasLocalWorkers
        var leader = RunLeader(
            Ownership(run: RunID(1), coordinator: WorkerID("leader"), term: 3), configuration, seed: 1)
        _ = leader.began(now: .zero)
        _ = leader.answered(.shardsLoaded([record(0)]), now: .zero)
        return leader
    }

    private func conditions(_ leader: RunLeader, at seconds: Int) -> [RunCondition] {
        leader.report(now: .seconds(seconds)).conditions
    }

    @Test func aWorkersHelloDoesNotEraseThatTheDatabaseIsAway() {
        var leader = Self.leader()
        #expect(conditions(leader, at: 0) == [.noWorkers])
        _ = leader.timePassed(now: .seconds(1))
        _ = leader.failed(failure(.away, "no route"), now: .seconds(1))
        _ = leader.heard(event(.asked(Self.process, problem: "no room")), now: .seconds(2))
        #expect(
            conditions(leader, at: 2) == [
                .databaseAway(reason: "no route", since: .seconds(1)), .noWorkers,
                .cannotBegin(Self.process, reason: "no room"),
            ])
        _ = leader.heard(event(joined), now: .seconds(2))
        #expect(conditions(leader, at: 2) == [.databaseAway(reason: "no route", since: .seconds(1))])
        // The reason is a different one now.
        _ = leader.failed(failure(.away, "refused"), now: .seconds(3))
        #expect(conditions(leader, at: 3) == [.databaseAway(reason: "refused", since: .seconds(2))])
        _ = leader.pauseEnded(now: .seconds(4))
        _ = leader.answered(.renewed(cancelAsked: false), now: .seconds(4))
        #expect(conditions(leader, at: 4) == [])
    }

    @Test func aServerThatTakesNoWritesIsToldAsReadOnlyUntilItsEnd() {
        var leader = Self.leader(hasLocalWorkers: true)
        let refusal = PostgresError(sqlState: "25006", message: "no writes")
        let reason = refusal.description
        _ = leader.timePassed(now: .seconds(1))
        let told = leader.failed(LedgerFailure(refusal), now: .seconds(1))
        #expect(told.contains(.announce(.databaseReadOnly(reason: reason))))
        #expect(conditions(leader, at: 3) == [.databaseReadOnly(reason: reason, since: .seconds(2))])
        let ended = leader.failed(LedgerFailure(refusal), now: .seconds(1000))
        #expect(ended.contains(.end(.stopped(.ledgerReadOnly(reason: reason)))))
    }

    @Test func aLockInTheLedgerIsToldUntilItAnswers() {
        var leader = Self.leader(hasLocalWorkers: true)
        _ = leader.timePassed(now: .seconds(1))
        _ = leader.failed(failure(.busy, "lock timeout"), now: .seconds(6))
        _ = leader.pauseEnded(now: .seconds(6))
        #expect(conditions(leader, at: 8) == [.ledgerLocked(reason: "lock timeout", since: .seconds(2))])
        _ = leader.answered(.renewed(cancelAsked: false), now: .seconds(8))
        #expect(conditions(leader, at: 8) == [])
    }

    @Test func localWorkersThatEndAreCountedUntilOneHasJoined() {
        var leader = Self.leader(hasLocalWorkers: true)
        for failures in 1...2 {
            _ = leader.processEnded(
                8, worker: nil, hadJoined: false, reason: "exit status 1", failures: failures, now: .seconds(1))
        }
        let ended = RunCondition.workersEnd(times: 2, limit: LocalWorkers.failureLimit, reason: "exit status 1")
        #expect(conditions(leader, at: 1) == [ended])
        _ = leader.workersSpawned(fault: "too many processes", now: .seconds(1))
        #expect(conditions(leader, at: 1) == [ended, .cannotSpawn(reason: "too many processes")])
        _ = leader.workersSpawned(fault: nil, now: .seconds(1))
        // A foreign worker that joins says nothing about the local ones.
        _ = leader.heard(event(joined, of: bob), now: .seconds(1))
        #expect(conditions(leader, at: 1) == [ended])
        _ = leader.heard(event(joined, isLocal: true), now: .seconds(1))
        #expect(conditions(leader, at: 1) == [])
    }

    @Test func whatAWorkerWaitsForAndWhyTheRunStopsAreTold() {
        var leader = Self.leader(hasLocalWorkers: true)
        _ = leader.heard(event(joined), now: .zero)
        _ = leader.answered(.leaseRecorded(lease(0), worker: alice, sequence: 0), now: .zero)
        let wait = WorkerWait(words: "waits for pid 7", cause: FailureCause(kind: .held, key: Key("5"), holder: 7))
        let held = HeldLease(lease: lease(0), sequence: 0, rowsDone: 0)
        _ = leader.heard(event(.reported(Heartbeat(held: [held], wait: wait))), now: .seconds(1))
        #expect(conditions(leader, at: 1) == [.workerWaits(Self.process, ShardID(0), wait)])
        let failure = ShardFailure(lease: lease(0), error: "no such table", scope: .run)
        _ = leader.heard(event(.shardFailed(failure)), now: .seconds(2))
        #expect(conditions(leader, at: 2).first == .windingDown(.stopping(reason: "no such table")))
        // A drain does not replace the reason to stop.
        _ = leader.drainRequested(now: .seconds(3))
        #expect(conditions(leader, at: 3).first == .windingDown(.stopping(reason: "no such table")))
        _ = leader.heard(event(.left(reason: "")), now: .seconds(3))
        #expect(conditions(leader, at: 3).count == 1)
    }
}
