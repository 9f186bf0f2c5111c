import Postgres
import Sharding
import Support
import Testing

@testable import Ledger

@Suite(.database) struct CancelTests {
    private let database = TestDatabase.current
    private let store: TestLedger
    init() throws { store = try TestDatabase.current.ledger() }

    @Test func cancelTakesTheRunFromALiveCoordinator() throws {
        let ownership = try store.ownedRun(cutAt: ["5"])
        let leased = try LeasedShard(store, of: ownership)
        let other = TestLedger(try database.connect())
        #expect(
            try other.cancellation.cancel(ownership.run)
                == RunCancellation.Cancellation(coordinator: "host pid 7", ended: []))
        let record = try store.reader.run(ownership.run)
        #expect(record.state == .cancelled && record.cancelAsked && record.coordinator == nil)
        #expect(record.finishedAt != nil && record.term == ownership.term + 1)
        #expect(
            try store.events(of: ownership.run).suffix(3) == [
                "asked_cancelled", "shard_pending 0", "lease_superseded 0",
            ])

        // The coordinator can change nothing any more.
        let before = try store.value("SELECT r::text || s::text FROM coord.run AS r, coord.shard AS s WHERE s.id = 0")
        #expect(try store.coordinator.renew(ownership, rowsPerSecond: 1) == nil)
        #expect(try store.coordinator.lease(ShardID(0), to: .second, after: Epoch(2), ownership) == nil)
        #expect(try store.coordinator.lease(ShardID(1), to: .second, after: Epoch(0), ownership) == nil)
        #expect(
            try store.coordinator.recordAttempt(
                leased.lease, worker: .first, outcome: "failed", error: "x", permanent: true, attempts: 1, ownership)
                == nil)
        #expect(try store.coordinator.conclude(ownership) == nil)
        #expect(try store.coordinator.release(ownership, as: .paused) == nil)
        #expect(try store.worker.open(leased.lease, owner: leased.worker, run: leased.run, keyColumns: 1) == nil)
        let refused = try ledgerError {
            _ = try store.coordinator.takeOver(ownership.run, as: .rival, host: "other", pid: 8)
        }
        #expect(refused.code == .wrongState("cancelled"))
        #expect(
            try store.value("SELECT r::text || s::text FROM coord.run AS r, coord.shard AS s WHERE s.id = 0") == before)
    }

    @Test func cancelledRunTakesItsLeasesBack() throws {
        let owned = try store.ownedRun("owned")
        let dead = try store.ownedRun("dead")
        let leases = try [owned, dead].map { try LeasedShard(store, of: $0) }
        try store.coordinator.release(owned, as: .cancelled)
        try store.forgetSession(of: dead.run)
        #expect(try store.cancellation.cancel(dead.run).coordinator == nil)
        for leased in leases {
            let shard = try #require(try store.reader.shard(ShardID(0), of: leased.run))
            #expect(shard.state == .pending && shard.owner == nil)
            #expect(shard.epoch == leased.lease.epoch.next)
            #expect(try store.worker.open(leased.lease, owner: leased.worker, run: leased.run, keyColumns: 1) == nil)
            #expect(try store.events(of: leased.run).count { $0 == "shard_leased 0" } == 1)
        }
    }

    @Test func pausedRunLeavesItsLeases() throws {
        let ownership = try store.ownedRun()
        let leased = try LeasedShard(store, of: ownership)
        try store.coordinator.release(ownership, as: .paused)
        #expect(try store.worker.open(leased.lease, owner: leased.worker, run: leased.run, keyColumns: 1) != nil)
    }

    @Test func runWithoutALiveCoordinatorIsCancelledAtOnce() throws {
        let planned = try store.coordinator.createRun(.sample("planned"), plan: .cut(at: []))
        let dead = try store.ownedRun("dead")
        try store.forgetSession(of: dead.run)
        for run in [planned, dead.run] {
            #expect(try store.cancellation.cancel(run).coordinator == nil)
            let record = try store.reader.run(run)
            #expect(record.state == .cancelled)
            #expect(record.finishedAt != nil)
        }
    }

    @Test func finishedRunIsNotCancelled() throws {
        let ownership = try store.ownedRun()
        try store.end(0, of: ownership.run, as: .done)
        _ = try store.coordinator.conclude(ownership)
        let error = try ledgerError { _ = try store.cancellation.cancel(ownership.run) }
        #expect(error.code == .wrongState("complete"))
        #expect(try store.reader.run(ownership.run).state == .complete)
        #expect(try !store.reader.run(ownership.run).cancelAsked)
        #expect(try ledgerError { _ = try store.cancellation.cancel(RunID(99)) }.code == .unknownRun)
    }

    @Test func cancelThatMeetsTheEndOfTheRunLeavesItComplete() async throws {
        let ownership = try store.ownedRun()
        let run = ownership.run
        try store.end(0, of: run, as: .done)
        try store.connection.execute("BEGIN")
        _ = try store.coordinator.conclude(ownership)
        let other = TestSession(database.settings())
        let pid = try await other.pid()
        async let refused = other.with { connection in
            try ledgerError { try RunCancellation(connection).cancel(run) }
        }
        let watcher = try database.connect()
        try await watcher.awaitBlocked(pid)
        try store.connection.execute("COMMIT")
        #expect(try await refused.code == .wrongState("complete"))
        let record = try store.reader.run(run)
        #expect(record.state == .complete && !record.cancelAsked)
    }

    @Test func cancelThatMeetsATakeOverTakesTheRunFromTheNewCoordinator() async throws {
        let run = try store.coordinator.createRun(.sample(), plan: .cut(at: []))
        try store.connection.execute("BEGIN")
        let ownership = try store.coordinator.takeOver(run, as: .coordinator, host: "host", pid: 7)
        try store.keepAlive(run)
        let other = TestSession(database.settings())
        let pid = try await other.pid()
        async let cancelled = other.with { try RunCancellation($0).cancel(run) }
        let watcher = try database.connect()
        try await watcher.awaitBlocked(pid)
        try store.connection.execute("COMMIT")
        #expect(try await cancelled.coordinator == "host pid 7")
        #expect(try store.coordinator.renew(ownership, rowsPerSecond: 0) == nil)
        #expect(try store.coordinator.standing(ownership) == .cancelled)
    }

    @Test func leaseThatWaitsForACancelIsRefused() async throws {
        let ownership = try store.ownedRun()
        try store.connection.execute("BEGIN")
        try store.cancellation.cancel(ownership.run)
        let other = TestSession(database.settings())
        let pid = try await other.pid()
        async let refused = other.with {
            try CoordinatorLedger($0).lease(ShardID(0), to: .first, after: Epoch(0), ownership) == nil
        }
        let watcher = try database.connect()
        try await watcher.awaitBlocked(pid)
        try store.connection.execute("COMMIT")
        #expect(try await refused)
        #expect(try store.attempts(of: ownership.run).isEmpty)
    }

    // MARK: - A run that replaces another

    @Test func newRunReplacesAnUnfinishedOneInOneTransaction() throws {
        let ownership = try store.ownedRun()
        try store.coordinator.release(ownership, as: .paused)
        let old = try store.reader.run(ownership.run)
        let new = try store.coordinator.createRun(.sample(), plan: .cut(at: ["1"]), replacing: old)
        #expect(try store.reader.run(old.id).state == .cancelled)
        #expect(try store.reader.unfinishedRun(named: "job")?.id == new)
    }

    @Test func newRunDoesNotReplaceOneThatWasTakenOverMeanwhile() throws {
        let first = try store.ownedRun()
        try store.coordinator.release(first, as: .paused)
        let old = try store.reader.run(first.run)
        let rival = TestLedger(try database.connect())
        let ownership = try rival.coordinator.takeOver(old.id, as: .rival, host: "other", pid: 8)
        for alive in [true, false] {
            // A coordinator that took over and left again may have been cancelled just before. So the higher term alone
            // refuses the replacement.
            if !alive { try rival.coordinator.release(ownership, as: .paused) }
            let before = try store.value("SELECT string_agg(r::text, ' ') FROM coord.run AS r")
            let error = try ledgerError {
                _ = try store.coordinator.createRun(.sample(), plan: .cut(at: []), replacing: old)
            }
            #expect(error.code == .owned(by: alive ? "other pid 8" : "?"))
            #expect(try store.value("SELECT string_agg(r::text, ' ') FROM coord.run AS r") == before)
        }
    }

    @Test func newRunThatCannotBeWrittenLeavesTheOldOneAsItWas() throws {
        let first = try store.ownedRun()
        try store.coordinator.release(first, as: .paused)
        let old = try store.reader.run(first.run)
        try store.connection.execute("ALTER TABLE coord.shard ADD CHECK (id < 1)")
        #expect(throws: PostgresError.self) {
            _ = try store.coordinator.createRun(.sample(), plan: .cut(at: ["1"]), replacing: old)
        }
        #expect(try store.reader.run(old.id) == old)
    }

    // MARK: - Rows that others hold

    /// A session that holds a shard's row in an open transaction.
    private func hold(_ shard: Int32, of run: RunID, role: String? = nil) throws -> PostgresConnection {
        let holder = try database.connect(role: role)
        try holder.execute("BEGIN")
        try holder.execute("SELECT FROM coord.shard WHERE run_id = \(run) AND id = \(shard) FOR UPDATE")
        return holder
    }

    @Test func cancelThatMeetsALockSaysWhoHoldsWhatAndChangesNothing() throws {
        let ownership = try store.ownedRun(cutAt: ["5", "6"])
        for shard in Int32(0)...2 { _ = try LeasedShard(store, shard: shard, of: ownership) }
        let holder = try hold(1, of: ownership.run)
        let before = try store.value("SELECT r::text || s::text FROM coord.run AS r, coord.shard AS s WHERE s.id = 1")
        let error = try ledgerError { try store.cancellation.cancel(ownership.run) }
        guard case .locked(let holders) = error.code, let found = holders.first, holders.count == 1 else {
            Issue.record("\(error)")
            return
        }
        #expect(found.pid == holder.backendPID && found.shards == [ShardID(1)] && !found.holdsRun)
        #expect(found.application == "coord test" && found.state == "idle in transaction")
        #expect((found.seconds ?? 0) >= 5)
        for part in ["pid \(holder.backendPID)", "shard 1", "nothing was changed", "--force"] {
            #expect(error.description.contains(part), "\(error)")
        }
        #expect(
            try store.value("SELECT r::text || s::text FROM coord.run AS r, coord.shard AS s WHERE s.id = 1") == before)
        #expect(try store.coordinator.renew(ownership, rowsPerSecond: 0) != nil)

        let forced = try store.cancellation.cancel(ownership.run, force: true)
        #expect(forced.ended.map(\.pid) == [holder.backendPID])
        #expect(try store.reader.run(ownership.run).state == .cancelled)
        #expect(try postgresError { try holder.execute("SELECT 1") }.recovery == .reconnect)
    }

    @Test func sessionThatHoldsTheRunsRowIsFoundToo() throws {
        let run = try store.coordinator.createRun(.sample(), plan: .cut(at: []))
        let holder = try database.connect()
        try holder.execute("BEGIN")
        try holder.execute("SELECT FROM coord.run FOR UPDATE")
        #expect(try store.cancellation.lockHolders(of: run).map(\.pid) == [holder.backendPID])
        #expect(try store.cancellation.lockHolders(of: run).map(\.holdsRun) == [true])
        try holder.execute("COMMIT")
        #expect(try store.cancellation.lockHolders(of: run).isEmpty)
    }

    @Test func roleThatMayNotEndASessionIsToldAndChangesNothing() throws {
        let run = try store.ownedRun().run
        let role = try database.makeRole()
        for grant in [
            "USAGE ON SCHEMA coord", "SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA coord",
        ] { try store.connection.execute("GRANT \(grant) TO \(role)") }
        let poor = TestLedger(try database.connect(role: role))
        let holder = try database.connect()
        try holder.execute("BEGIN")
        try holder.execute("SELECT FROM coord.run FOR UPDATE")
        let error = try ledgerError { try poor.cancellation.cancel(run, force: true) }
        #expect(error.message.contains("may not end"))
        #expect(error.mend?.contains("pg_signal_backend") == true)
        try holder.execute("ROLLBACK")
        #expect(try store.reader.run(run).state == .running)
    }
}
