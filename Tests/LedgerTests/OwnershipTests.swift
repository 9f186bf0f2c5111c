import Postgres
import Sharding
import Support
import Testing

@testable import Ledger

@Suite(.database) struct OwnershipTests {
    private let database = TestDatabase.current
    private let store: TestLedger
    init() throws { store = try TestDatabase.current.ledger() }

    // MARK: - Taking over

    @Test func runIsTakenOverAndStarts() throws {
        let run = try store.coordinator.createRun(.sample(), plan: .cut(at: []))
        let ownership = try store.coordinator.takeOver(run, as: .coordinator, host: "host", pid: 7)
        #expect(ownership == Ownership(run: run, coordinator: .coordinator, term: 1))
        let record = try store.reader.run(run)
        #expect(record.state == .running)
        #expect(record.coordinator == "host pid 7")
        #expect(record.startedAt != nil && record.finishedAt == nil)
        #expect(record.definition.text == RunDefinition.sample().text)
    }

    @Test func runIsNotTakenFromACoordinatorThatIsAlive() throws {
        let ownership = try store.ownedRun()
        let rival = TestLedger(try database.connect())
        let error = try ledgerError {
            _ = try rival.coordinator.takeOver(ownership.run, as: .rival, host: "other", pid: 8)
        }
        #expect(error.code == .owned(by: "host pid 7"))
        #expect(error.mend == "coord status \(ownership.run)")
        #expect(try store.coordinator.renew(ownership, rowsPerSecond: 1) != nil)
    }

    /// The rival's statement finds an owner, and a moment later there is none.
    @Test func runIsTakenAlsoAtTheMomentAtWhichItsOwnersTimeRunsOut() throws {
        let ownership = try store.ownedRun()
        let rival = TestLedger(try database.connect())
        for _ in 0..<100 {
            try store.connection.execute(
                "UPDATE coord.run SET lease_until = clock_timestamp() + interval '5 ms', backend_pid = \(store.connection.backendPID), "
                    + "backend_start = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())")
            var taken: Ownership?
            while taken == nil {
                do {
                    taken = try rival.coordinator.takeOver(ownership.run, as: .rival, host: "other", pid: 8)
                } catch let error as LedgerError {
                    guard case .owned = error.code else { throw error }
                }
            }
        }
    }

    @Test func runIsTakenAtOnceWhenItsOwnersSessionIsGone() async throws {
        let run = try store.coordinator.createRun(.sample(), plan: .cut(at: []))
        var owner: PostgresConnection? = try database.connect()
        let pid = try #require(owner).backendPID
        let old = try CoordinatorLedger(try #require(owner)).takeOver(run, as: .coordinator, host: "host", pid: 7)
        owner = nil
        try await store.connection.awaitTrue(
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = \(pid)", "the session lives on")
        // The lease in the run's row has not run out.
        #expect(try store.value("SELECT lease_until > clock_timestamp() FROM coord.run") == "t")
        #expect(try store.reader.run(run).coordinator == nil)
        let new = try store.coordinator.takeOver(run, as: .rival, host: "other", pid: 8)
        #expect(new.term == old.term + 1)
        #expect(try store.coordinator.renew(old, rowsPerSecond: 1) == nil)
    }

    @Test func runIsTakenWhenTheLeaseOfItsOwnerRanOut() throws {
        let ownership = try store.ownedRun()
        try store.connection.execute("UPDATE coord.run SET lease_until = clock_timestamp() - interval '1 ms'")
        #expect(try store.reader.run(ownership.run).coordinator == nil)
        let rival = TestLedger(try database.connect())
        #expect(try rival.coordinator.takeOver(ownership.run, as: .rival, host: "other", pid: 8).term == 2)
    }

    @Test func aBackendOfTheSameNumberIsNotTheOwnersSession() throws {
        let ownership = try store.ownedRun()
        try store.forgetSession(of: ownership.run)
        #expect(try store.reader.run(ownership.run).coordinator == nil)
    }

    @Test func onlyOneOfTwoRivalsTakesTheRun() async throws {
        let run = try store.coordinator.createRun(.sample(), plan: .cut(at: []))
        let rival = TestSession(database.settings())
        let pid = try await rival.pid()
        try store.connection.execute("BEGIN")
        let ownership = try store.coordinator.takeOver(run, as: .coordinator, host: "host", pid: 7)
        try store.keepAlive(run)
        async let refused = rival.with { connection in
            try ledgerError { _ = try CoordinatorLedger(connection).takeOver(run, as: .rival, host: "other", pid: 8) }
        }
        let watcher = try database.connect()
        try await watcher.awaitBlocked(pid)
        try store.connection.execute("COMMIT")
        #expect(try await refused.code == .owned(by: "host pid 7"))
        #expect(try store.coordinator.renew(ownership, rowsPerSecond: 0) != nil)
    }

    @Test func failedShardsGetNewAttemptsAndOthersStay() throws {
        let ownership = try store.ownedRun(cutAt: ["1", "2", "3"])
        let run = ownership.run
        let leased = try LeasedShard(store, shard: 1, of: ownership)
        try store.end(2, of: run, as: .failed)
        try store.connection.execute("UPDATE coord.shard SET failures = 5, error = 'why' WHERE id = 2")
        try store.end(3, of: run, as: .done)
        try store.coordinator.release(ownership, as: .paused)
        _ = try store.coordinator.takeOver(run, as: .rival, host: "other", pid: 8)
        let shards = try store.reader.shards(of: run).map(\.record)
        #expect(shards.map(\.state) == [.pending, .running, .pending, .done])
        #expect(shards[2].failures == 0 && shards[2].owner == nil)
        // A running shard keeps its lease under the new coordinator.
        #expect(shards[1].owner == leased.worker && shards[1].epoch == leased.lease.epoch)
    }

    @Test(arguments: [RunState.complete, .cancelled]) func finishedRunIsNotTaken(_ state: RunState) throws {
        let ownership = try store.ownedRun()
        try store.coordinator.release(ownership, as: state)
        let error = try ledgerError {
            _ = try store.coordinator.takeOver(ownership.run, as: .rival, host: "other", pid: 8)
        }
        #expect(error.code == .wrongState(state.rawValue))
        #expect(try store.reader.run(ownership.run).state == state)
    }

    @Test func unknownRunIsNotTaken() throws {
        let error = try ledgerError { _ = try store.coordinator.takeOver(RunID(9), as: .rival, host: "other", pid: 8) }
        #expect(error.code == .unknownRun)
    }

    @Test func takeOverMayBringANewDefinition() throws {
        let ownership = try store.ownedRun()
        try store.coordinator.release(ownership, as: .paused)
        _ = try store.coordinator.takeOver(
            ownership.run, as: .rival, host: "other", pid: 8, text: "new", directory: "/new")
        let record = try store.reader.run(ownership.run)
        #expect(record.definition.directory == "/new")
        #expect(record.definition.text == "new")
    }

    /// Requests a cancel as a coord before ledger version 3 does.
    private func askToCancel(_ run: RunID) throws {
        try store.connection.execute(
            "UPDATE coord.run SET desired = 'cancelled' WHERE id = $1::bigint", [run.description])
    }

    @Test func cancelThatWasAskedForOutlivesTheCoordinatorThatWasToObey() throws {
        let ownership = try store.ownedRun()
        let leased = try LeasedShard(store, of: ownership)
        try askToCancel(ownership.run)
        #expect(
            try store.coordinator.renew(ownership, rowsPerSecond: 0) == CoordinatorLedger.Renewal(cancelAsked: true))
        #expect(try store.coordinator.lease(ShardID(0), to: .second, after: leased.lease.epoch, ownership) == nil)
        try store.forgetSession(of: ownership.run)
        let error = try ledgerError {
            _ = try store.coordinator.takeOver(ownership.run, as: .rival, host: "other", pid: 8)
        }
        #expect(error.code == .wrongState("cancelled"))
        let record = try store.reader.run(ownership.run)
        #expect(record.state == .cancelled && record.finishedAt != nil && record.coordinator == nil)
        #expect(try store.reader.shard(ShardID(0), of: ownership.run)?.epoch == leased.lease.epoch.next)
    }

    @Test(arguments: [RunState.paused, .cancelled]) func runThatIsToBeCancelledIsGivenBackAsCancelled(
        _ state: RunState
    ) throws {
        let ownership = try store.ownedRun()
        let leased = try LeasedShard(store, of: ownership)
        try askToCancel(ownership.run)
        #expect(try store.coordinator.release(ownership, as: state) == .cancelled)
        #expect(try store.reader.run(ownership.run).state == .cancelled)
        #expect(try store.worker.open(leased.lease, owner: leased.worker, run: leased.run, keyColumns: 1) == nil)
    }

    // MARK: - Renewing

    @Test func renewalProlongsTheLeaseAndNotesTheRate() throws {
        let ownership = try store.ownedRun()
        try store.connection.execute("UPDATE coord.run SET lease_until = clock_timestamp()")
        #expect(
            try store.coordinator.renew(ownership, rowsPerSecond: 12.5) == CoordinatorLedger.Renewal(cancelAsked: false)
        )
        #expect(try store.reader.run(ownership.run).rowsPerSecond == 12.5)
        #expect(
            try store.value("SELECT lease_until > clock_timestamp() + interval '10 s' FROM coord.run") == "t")
    }

    @Test func renewalAfterAReconnectEntersTheNewSession() throws {
        let run = try store.coordinator.createRun(.sample(), plan: .cut(at: []))
        let owner = TestLedger(try database.connect())
        let ownership = try owner.coordinator.takeOver(run, as: .coordinator, host: "host", pid: 7)
        try store.connection.terminateSessions("pid = \(owner.connection.backendPID)")
        #expect(try store.reader.run(run).coordinator == nil)
        let again = TestLedger(try database.connect())
        #expect(try again.coordinator.renew(ownership, rowsPerSecond: 0) != nil)
        #expect(try store.reader.run(run).coordinator == "host pid 7")
    }

    @Test func oustedCoordinatorCanDoNothing() throws {
        let old = try store.ownedRun(cutAt: ["1"])
        let leased = try LeasedShard(store, of: old)
        try store.forgetSession(of: old.run)
        let new = try store.coordinator.takeOver(old.run, as: .rival, host: "other", pid: 8)
        let before = try store.reader.run(old.run)

        #expect(try store.coordinator.renew(old, rowsPerSecond: 99) == nil)
        #expect(try store.coordinator.lease(ShardID(1), to: .second, after: Epoch(0), old) == nil)
        let recorded = try store.coordinator.recordAttempt(
            leased.lease, worker: .first, outcome: "failed", error: "x", permanent: true, attempts: 5, old)
        #expect(recorded == nil)
        #expect(try store.coordinator.release(old, as: .cancelled) == nil)
        #expect(try store.coordinator.standing(old) == .taken)
        for shard in Int32(0)...1 { try store.end(shard, of: old.run, as: .done) }
        #expect(try store.coordinator.conclude(old) == nil)
        var after = try store.reader.run(old.run)
        #expect(after.state == .running && after.coordinator == "other pid 8")
        after.counts = before.counts
        #expect(after == before)
        #expect(try store.coordinator.renew(new, rowsPerSecond: 0) != nil)
    }

    @Test(arguments: [RunState.paused, .cancelled, .failed]) func ownerGivesTheRunBack(_ state: RunState)
        throws
    {
        let ownership = try store.ownedRun()
        #expect(try store.coordinator.release(ownership, as: state) == state)
        let record = try store.reader.run(ownership.run)
        #expect(record.state == state)
        #expect(record.coordinator == nil)
        #expect((record.finishedAt != nil) == (state == .cancelled))
        #expect(try store.coordinator.renew(ownership, rowsPerSecond: 0) == nil)
    }

    // MARK: - Concluding (I5)

    /// The states of the shards, and the run's state after `conclude`.
    static let conclusions: [([ShardState], RunState)] = [
        ([.done, .done, .done], .complete),
        ([.done, .done, .failed], .partial),
        ([.failed, .failed, .failed], .failed),
        ([.done, .done, .pending], .running),
        ([.done, .done, .running], .running),
        ([.failed, .pending, .done], .running),
        ([.failed, .running, .failed], .running),
        ([.pending, .pending, .pending], .running),
    ]

    @Test(arguments: conclusions)
    func runIsCompleteExactlyWhenEveryShardIsDone(_ states: [ShardState], _ expected: RunState) throws {
        let ownership = try store.ownedRun(cutAt: ["1", "2"])
        for (id, state) in states.enumerated() { try store.end(Int32(id), of: ownership.run, as: state) }
        let counts = try store.coordinator.conclude(ownership)
        func count(_ state: ShardState) -> Int { states.count { $0 == state } }
        #expect(
            counts
                == ShardCounts(
                    pending: count(.pending), running: count(.running), done: count(.done), failed: count(.failed)))
        let record = try store.reader.run(ownership.run)
        #expect(record.state == expected)
        #expect((record.finishedAt != nil) == (expected != .running))
        #expect((record.coordinator == nil) == (expected != .running))
    }

    @Test func runThatEndedPartiallyCanBeTakenUpAgain() throws {
        let ownership = try store.ownedRun(cutAt: ["1"])
        try store.end(0, of: ownership.run, as: .done)
        try store.end(1, of: ownership.run, as: .failed)
        _ = try store.coordinator.conclude(ownership)
        let again = try store.coordinator.takeOver(ownership.run, as: .rival, host: "other", pid: 8)
        #expect(try store.reader.run(ownership.run).finishedAt == nil)
        try store.end(1, of: ownership.run, as: .done)
        _ = try store.coordinator.conclude(again)
        #expect(try store.reader.run(ownership.run).state == .complete)
    }

    // MARK: - A run that is not one's own any more

    @Test func standingTellsWhyAnOwnershipWasRefused() throws {
        let owned = try store.ownedRun("owned")
        #expect(try store.coordinator.standing(owned) == .owned)
        let cancelled = try store.ownedRun("cancelled")
        try store.cancellation.cancel(cancelled.run)
        #expect(try store.coordinator.standing(cancelled) == .cancelled)
        let concluded = try store.ownedRun("concluded")
        try store.end(0, of: concluded.run, as: .done)
        _ = try store.coordinator.conclude(concluded)
        #expect(try store.coordinator.standing(concluded) == .ended(ShardCounts(done: 1)))
        let deleted = try store.ownedRun("deleted")
        try store.connection.execute("DELETE FROM coord.run WHERE id = $1::bigint", [deleted.run.description])
        let gone = try ledgerError { _ = try store.coordinator.standing(deleted) }
        #expect(gone.code == .damaged && gone.message.contains("run \(deleted.run)"))
    }

    /// After a failover that loses a takeover, the next takeover gets the same term.
    @Test func runOfAnotherCoordinatorWithTheSameTermIsTaken() throws {
        let ownership = try store.ownedRun()
        try store.connection.execute("UPDATE coord.run SET coordinator = '\(WorkerID.rival)'")
        #expect(try store.coordinator.renew(ownership, rowsPerSecond: 0) == nil)
        #expect(try store.coordinator.standing(ownership) == .taken)
    }

    @Test(arguments: ["complete", "paused", "planned", "partial"])
    func stateThatSomebodyElseWroteIsDamage(_ state: String) throws {
        let ownership = try store.ownedRun()
        try store.connection.execute("UPDATE coord.run SET state = '\(state)'")
        #expect(try store.coordinator.renew(ownership, rowsPerSecond: 0) == nil)
        #expect(try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), ownership) == nil)
        #expect(try store.coordinator.conclude(ownership) == nil)
        let error = try ledgerError { _ = try store.coordinator.standing(ownership) }
        #expect(error.code == .damaged)
        #expect(error.message.contains("found it \(state)"))
    }
}
