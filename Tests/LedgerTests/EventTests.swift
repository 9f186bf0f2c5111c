import Ledger
import Postgres
import Sharding
import Support
import Testing

@Suite(.database) struct EventTests {
    private let store: TestLedger
    init() throws { store = try TestDatabase.current.ledger() }

    @Test func everyChangeOfARunHasItsEvent() throws {
        let run = try store.coordinator.createRun(.sample(), plan: .cut(at: []))
        #expect(try store.events(of: run) == ["run_planned"])
        let ownership = try store.coordinator.takeOver(run, as: .coordinator, host: "host", pid: 7)
        #expect(try store.events(of: run) == ["run_planned", "run_running", "coordinator_took_over"])
        _ = try store.coordinator.renew(ownership, rowsPerSecond: 1)
        try store.coordinator.release(ownership, as: .paused)
        #expect(try store.events(of: run).suffix(1) == ["run_paused"])
        _ = try store.coordinator.takeOver(run, as: .rival, host: "other", pid: 8)
        #expect(try store.events(of: run).suffix(2) == ["run_running", "coordinator_took_over"])
        let detail = try store.value("SELECT detail FROM coord.event WHERE kind = 'coordinator_took_over' AND id > 4")
        #expect(detail == #"{"pid": 8, "host": "other", "term": 2}"#)
        let before = try store.events(of: run).count
        try store.cancellation.cancel(run)
        #expect(try store.events(of: run).dropFirst(before) == ["run_cancelled", "asked_cancelled"])
    }

    @Test func roleThatReplicatesLosesNoEvent() throws {
        try store.connection.execute("SET session_replication_role = replica")
        let ownership = try store.ownedRun()
        _ = try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), ownership)
        try store.end(0, of: ownership.run, as: .done)
        #expect(
            try store.events(of: ownership.run) == [
                "run_planned", "run_running", "coordinator_took_over", "shard_leased 0", "shard_done 0", "lease_done 0",
            ])
    }

    @Test func everyChangeOfAShardHasItsEvent() throws {
        let ownership = try store.ownedRun()
        let run = ownership.run
        let before = try store.events(of: run).count
        func news() throws -> [String] { Array(try store.events(of: run).dropFirst(before)) }

        let first = try #require(try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), ownership)).lease
        #expect(try news() == ["shard_leased 0"])
        _ = try store.worker.open(first, owner: .first, run: run, keyColumns: 1)
        try store.connection.execute("UPDATE coord.shard SET sequence = 1, checkpoint = '{1}'")
        #expect(try news().count == 1, "a batch is no event")
        _ = try store.coordinator.recordAttempt(
            first, worker: .first, outcome: "failed", error: "why", permanent: false, attempts: 5, ownership)
        #expect(try news().suffix(2) == ["shard_pending 0", "lease_failed 0"])
        let second = try #require(try store.coordinator.lease(ShardID(0), to: .second, after: Epoch(1), ownership))
            .lease
        _ = try store.coordinator.recordAttempt(
            second, worker: .second, outcome: "failed", error: "why", permanent: true, attempts: 5, ownership)
        #expect(try news().suffix(3) == ["shard_leased 0", "shard_failed 0", "lease_failed 0"])
        let detail = "SELECT detail->>'error' FROM coord.event WHERE kind = 'shard_failed'"
        #expect(try store.value(detail) == "why")
        _ = try store.coordinator.conclude(ownership)
        #expect(try news().last == "run_failed")
        #expect(try store.value("SELECT string_agg(epoch::text, ',' ORDER BY id) FROM coord.event") == "1,1,1,2,2,2")
    }

    @Test(arguments: ["failed", "expired", "stalled", "released"])
    func everyLeasesEndHasItsEventWithItsReason(outcome: String) throws {
        let ownership = try store.ownedRun()
        let lease = try #require(try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), ownership)).lease
        _ = try store.coordinator.recordAttempt(
            lease, worker: .first, outcome: outcome, error: outcome == "released" ? nil : "why", permanent: false,
            attempts: outcome == "released" ? 0 : 5, ownership)
        let sql = "SELECT detail->>'worker' || ' ' || COALESCE(detail->>'error', '-') FROM coord.event WHERE kind = "
        let reason = outcome == "released" ? "-" : "why"
        #expect(try store.value(sql + "'lease_\(outcome)'") == "\(WorkerID.first) \(reason)")
        #expect(try store.value("SELECT count(*) FROM coord.event WHERE kind LIKE 'lease%'") == "1")
    }

    @Test func doneAndSupersededLeasesHaveTheirEvents() throws {
        let ownership = try store.ownedRun()
        let first = try #require(try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), ownership)).lease
        _ = try store.coordinator.lease(ShardID(0), to: .second, after: first.epoch, ownership)
        try store.end(0, of: ownership.run, as: .done)
        let sql = "SELECT string_agg(kind || epoch, ' ' ORDER BY id) FROM coord.event WHERE kind LIKE 'lease%'"
        #expect(try store.value(sql) == "lease_superseded1 lease_done2")
    }

    @Test func changeThatIsRolledBackLeavesNoEvent() throws {
        let ownership = try store.ownedRun()
        let before = try store.events(of: ownership.run)
        try store.connection.execute("BEGIN")
        _ = try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), ownership)
        try store.end(0, of: ownership.run, as: .done)
        _ = try store.coordinator.conclude(ownership)
        #expect(try store.events(of: ownership.run).count == before.count + 4)
        try store.connection.execute("ROLLBACK")
        #expect(try store.events(of: ownership.run) == before)
        #expect(try store.reader.run(ownership.run).state == .running)
    }

    @Test func changeThatWasRefusedLeavesNoEvent() throws {
        let ownership = try store.ownedRun()
        let before = try store.events(of: ownership.run)
        _ = try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(7), ownership)
        _ = try store.coordinator.conclude(ownership)
        #expect(try store.events(of: ownership.run) == before)
    }

    @Test func eventsTellWhoDidIt() throws {
        _ = try store.ownedRun()
        let sql = "SELECT bool_and(detail->>'by' = session_user) FROM coord.event WHERE kind LIKE 'run%'"
        #expect(try store.value(sql) == "t")
    }
}
