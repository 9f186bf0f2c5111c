import Ledger
import Postgres
import Sharding
import Support
import Testing

@Suite(.database) struct StorageTests {
    let store: TestLedger

    init() throws { store = try TestDatabase.current.ledger() }

    private func makeTable() throws -> UInt32 {
        try store.connection.execute(
            "CREATE TABLE items AS SELECT i AS id, repeat('x', 200) AS filler FROM generate_series(1, 1000) AS i")
        return UInt32(try store.connection.execute("SELECT 'items'::regclass::oid").int(0, 0) ?? 0)
    }

    @Test func storageIsMeasuredAgainstTheBeginOfTheRun() throws {
        let oid = try makeTable()
        let ownership = try store.ownedRun()
        #expect(try store.reader.storage(of: ownership.run) == nil)
        let first = try #require(try store.coordinator.measureStorage(ownership, tableOID: oid).measure).change
        #expect(first.begin == first.last && first.begin.heapBytes > 200_000 && first.begin.walBytes > 0)
        try store.connection.execute("UPDATE items SET filler = repeat('y', 200)")
        try store.connection.execute("UPDATE coord.shard SET rows_done = 500 WHERE id = 0")
        let second = try #require(try store.coordinator.measureStorage(ownership, tableOID: oid).measure).change
        #expect(second.begin == first.begin && second.last.rowsDone == 500)
        #expect(second.heapGrowth ?? 0 > 1.5 && second.walBytesPerRow ?? 0 > 100)
        #expect(try store.reader.storage(of: ownership.run) == second)
    }

    /// The first coordinator's rows, and those of the second, but not what others wrote between the two.
    @Test func timeWithoutACoordinatorIsNotCounted() throws {
        let oid = try makeTable()
        var ownership = try store.ownedRun()
        func measure(_ rows: Int, _ wal: Int64) throws -> StorageChange {
            // The WAL at the last measurement, so that the test does not depend on what other tests write.
            try store.connection.execute(
                "UPDATE coord.run SET storage = jsonb_set(storage, '{last,wal}', "
                    + "to_jsonb((pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint - \(wal)))")
            try store.connection.execute("UPDATE coord.shard SET rows_done = \(rows) WHERE id = 0")
            return try #require(try store.coordinator.measureStorage(ownership, tableOID: oid).measure).change
        }
        _ = try store.coordinator.measureStorage(ownership, tableOID: oid)
        let first = try measure(500, 1_000_000_000)
        #expect(first.counted.rowsDone == 500 && first.counted.walBytes >= 1_000_000_000)
        _ = try store.coordinator.release(ownership, as: .paused)
        ownership = try store.coordinator.takeOver(ownership.run, as: .coordinator, host: "host", pid: 7)
        let second = try measure(500, 9_000_000_000)
        #expect(second.counted == first.counted && second.begin == first.begin)
        let third = try measure(700, 400)
        #expect(third.counted.rowsDone == 700)
        #expect(third.counted.walBytes >= first.counted.walBytes + 400)
        #expect(third.counted.walBytes < first.counted.walBytes + 8_000_000_000)
        #expect(try store.reader.storage(of: ownership.run) == third)
    }

    /// As an earlier build of this version wrote it.
    @Test func figuresWithoutCountsAreCountedFromTheBegin() throws {
        let ownership = try store.ownedRun()
        let moment = #"{"heap": 1, "indexes": 1, "updates": %, "hot": 4, "wal": 0, "rows": 0}"#
        let (begin, last) = (moment.replacing("%", with: "5"), moment.replacing("%", with: "15"))
        try store.connection.execute(#"UPDATE coord.run SET storage = '{"begin": \#(begin), "last": \#(last)}'"#)
        #expect(try store.reader.storage(of: ownership.run)?.counted == StorageCounts(updates: 10))
    }

    @Test func nothingIsMeasuredOfATableThatIsGoneNorInAnotherTerm() throws {
        let oid = try makeTable()
        var ownership = try store.ownedRun()
        #expect(try store.coordinator.measureStorage(ownership, tableOID: 4_294_967_290) == .nothing)
        ownership.term += 1
        #expect(try store.coordinator.measureStorage(ownership, tableOID: oid) == .nothing)
        #expect(try store.reader.storage(of: ownership.run) == nil)
    }

    @Test func whoKeepsOldRowVersionsIsNamed() async throws {
        let oid = try makeTable()
        let ownership = try store.ownedRun()
        let reader = try TestDatabase.current.connect()
        try reader.execute("SET application_name = 'report'")
        try reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        try reader.execute("SELECT count(*) FROM items")
        let pid = reader.backendPID
        // By the server's clock, only holders older than a few seconds are named.
        try store.connection.execute("SELECT pg_sleep(5.2)")
        let measure = try #require(try store.coordinator.measureStorage(ownership, tableOID: oid).measure)
        #expect(measure.holder?.hasPrefix("pid \(pid) (") == true, "\(measure.holder ?? "nobody")")
    }

    /// The coordinator's other tasks wait behind the measurement.
    @Test func lockOnTheTableIsNotWaitedFor() throws {
        let oid = try makeTable()
        let ownership = try store.ownedRun()
        let before = try store.coordinator.measureStorage(ownership, tableOID: oid)
        // Only the measurement's own limit is left.
        try store.connection.execute("SET lock_timeout = 0")
        try store.connection.execute("SET statement_timeout = '60s'")
        let other = try TestDatabase.current.connect()
        try other.execute("BEGIN")
        try other.execute("LOCK TABLE items")
        guard case .failed(let reason) = try store.coordinator.measureStorage(ownership, tableOID: oid) else {
            Issue.record("the table was measured under a lock")
            return
        }
        #expect(reason.contains("55P03"))
        #expect(try store.reader.storage(of: ownership.run) == before.measure?.change)
        #expect(try store.value("SHOW lock_timeout") == "0")
        try other.execute("ROLLBACK")
        #expect(try store.coordinator.measureStorage(ownership, tableOID: oid).measure != nil)
    }

    /// Somebody may have edited the run's row.
    @Test func figuresThatCannotBeReadStopNothing() throws {
        let oid = try makeTable()
        let ownership = try store.ownedRun()
        try store.connection.execute(#"UPDATE coord.run SET storage = '{"begin": {"heap": "many"}}'"#)
        guard case .failed = try store.coordinator.measureStorage(ownership, tableOID: oid) else {
            Issue.record("figures that are none were read")
            return
        }
        #expect(try store.coordinator.renew(ownership, rowsPerSecond: 0) != nil)
    }

    @Test func lostConnectionIsNoFaultOfTheTable() throws {
        let oid = try makeTable()
        let ownership = try store.ownedRun()
        try TestDatabase.current.connect().terminateSessions("pid = \(store.connection.backendPID)")
        #expect(throws: PostgresError.self) { try store.coordinator.measureStorage(ownership, tableOID: oid) }
    }
}
