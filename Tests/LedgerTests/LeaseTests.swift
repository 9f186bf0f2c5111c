import Ledger
import Postgres
import Sharding
import Support
import Testing

@Suite(.database) struct LeaseTests {
    private let database = TestDatabase.current
    private let store: TestLedger
    private let ownership: Ownership
    private var run: RunID { ownership.run }

    init() throws {
        store = try TestDatabase.current.ledger()
        ownership = try store.ownedRun(cutAt: ["10"])
    }

    // MARK: - Leasing

    @Test func leaseRaisesTheEpochByOneAndOpensAnAttempt() throws {
        let leased = try #require(try store.coordinator.lease(ShardID(1), to: .first, after: Epoch(0), ownership))
        #expect(leased.lease == Lease(shard: ShardID(1), epoch: Epoch(1)))
        #expect(leased.sequence == 0)
        let shard = try #require(try store.reader.shard(ShardID(1), of: run))
        #expect(shard.state == .running && shard.epoch == Epoch(1) && shard.owner == .first)
        #expect(try store.reader.shard(ShardID(0), of: run)?.epoch == Epoch(0))
        #expect(try store.attempts(of: run) == ["1 1 open false"])
    }

    @Test func leaseOfARunningShardSupersedesTheOldOne() throws {
        _ = try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), ownership)
        try store.connection.execute("UPDATE coord.shard SET sequence = 4 WHERE id = 0")
        let leased = try #require(try store.coordinator.lease(ShardID(0), to: .second, after: Epoch(1), ownership))
        #expect(leased.lease.epoch == Epoch(2))
        #expect(leased.sequence == 4)
        #expect(try store.reader.shard(ShardID(0), of: run)?.owner == .second)
        #expect(try store.attempts(of: run) == ["0 1 superseded true", "0 2 open false"])
    }

    @Test func leaseAfterAnOldEpochIsRefused() throws {
        _ = try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), ownership)
        for epoch in [Epoch(0), Epoch(2), Epoch(-1)] {
            #expect(try store.coordinator.lease(ShardID(0), to: .second, after: epoch, ownership) == nil)
        }
        #expect(try store.reader.shard(ShardID(0), of: run)?.owner == .first)
        #expect(try store.attempts(of: run).count == 1)
    }

    @Test func leaseUnderAnotherTermOrCoordinatorIsRefused() throws {
        var wrong = [ownership, ownership]
        wrong[0].term += 1
        wrong[1].coordinator = .rival
        for ownership in wrong {
            #expect(try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), ownership) == nil)
        }
        #expect(try store.reader.shard(ShardID(0), of: run) == ShardRecord(id: ShardID(0), rowsEstimated: 10))
        #expect(try store.attempts(of: run).isEmpty)
    }

    @Test(arguments: [ShardState.done, .failed]) func shardThatHasEndedIsNotLeased(_ state: ShardState) throws {
        try store.end(0, of: run, as: state)
        #expect(try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), ownership) == nil)
        #expect(try store.reader.shard(ShardID(0), of: run)?.state == state)
    }

    @Test func leaseThatWaitsForAnotherLosesToIt() async throws {
        let rival = TestSession(database.settings())
        let pid = try await rival.pid()
        let ownership = ownership
        try store.connection.execute("BEGIN")
        #expect(try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), ownership) != nil)
        async let lost = rival.with {
            try CoordinatorLedger($0).lease(ShardID(0), to: .second, after: Epoch(0), ownership) == nil
        }
        let watcher = try database.connect()
        try await watcher.awaitBlocked(pid)
        try store.connection.execute("COMMIT")
        #expect(try await lost)
        #expect(try store.reader.shard(ShardID(0), of: run)?.owner == .first)
        #expect(try store.attempts(of: run) == ["0 1 open false"])
    }

    @Test func exactlyOneOfManyLeasesWins() async throws {
        let ownership = ownership
        let sessions = (0..<4).map { _ in TestSession(database.settings()) }
        for session in sessions { _ = try await session.pid() }
        for epoch in Int64(0)..<20 {
            let won = try await withThrowingTaskGroup(of: Bool.self) { group in
                for session in sessions {
                    group.addTask {
                        try await session.with {
                            try CoordinatorLedger($0).lease(ShardID(0), to: .first, after: Epoch(epoch), ownership)
                                != nil
                        }
                    }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(won == 1)
        }
        #expect(try store.reader.shard(ShardID(0), of: run)?.epoch == Epoch(20))
        #expect(try store.value("SELECT count(*) FROM coord.attempt") == "20")
    }

    @Test func takeOverWaitsForALeaseThatIsBeingGiven() async throws {
        // The lease locks the run's row, so that its check of the term holds until its commit.
        try store.forgetSession(of: run)
        let (run, ownership) = (run, ownership)
        let rival = TestSession(database.settings())
        let pid = try await rival.pid()
        try store.connection.execute("BEGIN")
        #expect(try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), ownership) != nil)
        async let taken = rival.with { try CoordinatorLedger($0).takeOver(run, as: .rival, host: "other", pid: 8).term }
        let watcher = try database.connect()
        try await watcher.awaitBlocked(pid)
        try store.connection.execute("COMMIT")
        #expect(try await taken == 2)
    }

    // MARK: - Opening

    @Test func openGivesTheRangeAndThePosition() throws {
        let leased = try #require(try store.coordinator.lease(ShardID(1), to: .first, after: Epoch(0), ownership)).lease
        let fresh = try #require(try store.worker.open(leased, owner: .first, run: run, keyColumns: 1))
        #expect(fresh.range == KeyRange(after: Key("10"), through: nil))
        #expect(fresh.position == Position())

        let nasty = ["", "NULL", "a,b", "\"", "\\", "{x}"]
        let numbers = (1...nasty.count).map { "$\($0)" }.joined(separator: ", ")
        try store.connection.execute(
            """
            UPDATE coord.shard SET checkpoint = '{"a b"}', deferred = ARRAY[\(numbers)]::text[], sequence = 3, rows_done = 9
            """, nasty)
        let again = try #require(try store.worker.open(leased, owner: .first, run: run, keyColumns: 1))
        #expect(
            again.position
                == Position(Cursor("a b"), deferred: nasty.map { Key($0) }, sequence: 3, rowsDone: 9))
    }

    @Test func openEntersTheSessionSoThatATakerMayEndIt() throws {
        let leased = try #require(try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), ownership)).lease
        let worker = TestLedger(try database.connect())
        _ = try worker.worker.open(leased, owner: .first, run: run, keyColumns: 1)
        try store.coordinator.terminateHolder(of: ShardID(1), run: run)
        #expect(try worker.value("SELECT 1") == "1")
        try store.coordinator.terminateHolder(of: ShardID(0), run: run)
        #expect(try postgresError { _ = try worker.value("SELECT 1") }.recovery == .reconnect)
    }

    @Test func sessionThatHasTheNumberOfTheHoldersIsNotEnded() throws {
        let leased = try #require(try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), ownership)).lease
        let worker = TestLedger(try database.connect())
        _ = try worker.worker.open(leased, owner: .first, run: run, keyColumns: 1)
        try store.connection.execute("UPDATE coord.shard SET backend_start = '2000-01-01'")
        try store.coordinator.terminateHolder(of: ShardID(0), run: run)
        #expect(try worker.value("SELECT 1") == "1")
    }

    @Test func leaseThatWasLostIsNotOpened() throws {
        let old = try #require(try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), ownership)).lease
        #expect(try store.worker.open(old, owner: .second, run: run, keyColumns: 1) == nil)
        _ = try store.coordinator.lease(ShardID(0), to: .second, after: Epoch(1), ownership)
        #expect(try store.worker.open(old, owner: .first, run: run, keyColumns: 1) == nil)
        let new = Lease(shard: ShardID(0), epoch: Epoch(2))
        #expect(try store.worker.open(new, owner: .second, run: run, keyColumns: 1) != nil)
        try store.end(0, of: run, as: .done)
        #expect(try store.worker.open(new, owner: .second, run: run, keyColumns: 1) == nil)
    }

    // MARK: - Ends of attempts

    private func lease(_ epoch: Int64) throws -> Lease {
        try #require(try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(epoch), ownership)).lease
    }

    private func record(
        _ lease: Lease, _ outcome: String = "failed", permanent: Bool = false, attempts: Int = 3,
        error: String? = "why"
    ) throws -> (state: ShardState, failures: Int)? {
        try store.coordinator.recordAttempt(
            lease, worker: .first, outcome: outcome, error: error, permanent: permanent, attempts: attempts, ownership)
    }

    /// Moves the shard on as a batch would.
    private func commitBatch() throws {
        try store.connection.execute("UPDATE coord.shard SET sequence = sequence + 1, failures = 0 WHERE id = 0")
    }

    @Test func failuresInARowEndTheShard() throws {
        for (epoch, expected) in [ShardState.pending, .pending, .failed].enumerated() {
            let end = try #require(try record(try lease(Int64(epoch))))
            #expect(end.state == expected)
            #expect(end.failures == epoch + 1)
        }
        let shard = try #require(try store.reader.shard(ShardID(0), of: run))
        #expect(shard.state == .failed && shard.failures == 3 && shard.owner == nil && shard.error == "why")
        #expect(try store.attempts(of: run) == ["0 1 failed true", "0 2 failed true", "0 3 failed true"])
        #expect(try store.value("SELECT string_agg(error, ',') FROM coord.attempt") == "why,why,why")
    }

    @Test func progressBetweenFailuresStartsTheCountAnew() throws {
        for epoch in Int64(0)..<6 {
            let lease = try lease(epoch)
            try commitBatch()
            let end = try #require(try record(lease))
            #expect(end.state == .pending)
            #expect(end.failures == 1)
        }
        #expect(try record(try lease(6))?.failures == 2)
        #expect(try record(try lease(7))?.state == .failed)
    }

    @Test func onlyAttemptAllowedFailsTheShardDespiteProgress() throws {
        let lease = try lease(0)
        try commitBatch()
        #expect(try record(lease, attempts: 1)?.state == .failed)
    }

    @Test func permanentErrorEndsTheShardAtOnce() throws {
        let end = try #require(try record(try lease(0), permanent: true))
        #expect(end.state == .failed && end.failures == 1)
    }

    @Test func releasedAttemptIsNoFailure() throws {
        _ = try record(try lease(0))
        let end = try #require(try record(try lease(1), "released", attempts: 0, error: nil))
        #expect(end.state == .pending && end.failures == 0)
        let shard = try #require(try store.reader.shard(ShardID(0), of: run))
        #expect(shard.failures == 1)
        #expect(shard.error == "why", "the last error stays to be seen")
        #expect(try store.attempts(of: run).last == "0 2 released true")
    }

    @Test(arguments: ["expired", "stalled"]) func lostWorkersCountAsFailures(_ outcome: String) throws {
        #expect(try record(try lease(0), outcome)?.failures == 1)
        #expect(try store.attempts(of: run) == ["0 1 \(outcome) true"])
    }

    @Test func endOfALeaseThatWasLostIsNotRecorded() throws {
        let old = try lease(0)
        _ = try store.coordinator.lease(ShardID(0), to: .second, after: Epoch(1), ownership)
        #expect(try record(old) == nil)
        let wrongOwner = Lease(shard: ShardID(0), epoch: Epoch(2))
        #expect(try record(wrongOwner) == nil)
        #expect(try store.reader.shard(ShardID(0), of: run)?.state == .running)
        #expect(try store.attempts(of: run) == ["0 1 superseded true", "0 2 open false"])
    }

    @Test func endOfAnAttemptIsRecordedOnce() throws {
        let lease = try lease(0)
        #expect(try record(lease) != nil)
        #expect(try record(lease) == nil)
        #expect(try store.reader.shard(ShardID(0), of: run)?.failures == 1)
    }

    @Test func shardThatIsDoneStaysDone() throws {
        let lease = try lease(0)
        try store.end(0, of: run, as: .done)
        #expect(try record(lease, permanent: true) == nil)
        #expect(try store.reader.shard(ShardID(0), of: run)?.state == .done)
        #expect(try store.attempts(of: run) == ["0 1 done true"])
    }

    @Test func longErrorIsCut() throws {
        _ = try record(try lease(0), error: String(repeating: "ä", count: 5000))
        #expect(try store.reader.shard(ShardID(0), of: run)?.error?.count == CoordinatorLedger.errorLimit)
    }
}
