import Batches
import Ledger
import Postgres
import Sharding
import Support
import Testing

/// The two kinds of job, whose batches are written in different ways.
enum BatchKind: CaseIterable, Sendable {
    case setBased, rowBased

    /// A target of this kind that adds one to each row's `n`.
    func target(_ connection: PostgresConnection) throws -> Target {
        switch self {
        case .setBased: try .setting(connection, ["n": "n + 1"])
        case .rowBased: try .computing(connection, read: ["n"], writes: ["n"])
        }
    }

    /// Carries out the next batch of at most four rows with the parameters of `shard`.
    /// - Returns: nil when the fence refused the batch.
    func advance(_ batches: TestBatches, _ shard: LeasedShard) throws -> BatchOutcome? {
        switch self {
        case .setBased: return try batches.apply(shard, rows: 4)
        case .rowBased:
            let rows = try batches.read(shard, limit: 4)
            let values = rows.values.map { row in row[0].flatMap { Int($0) }.map { String($0 + 1) } }
            return try batches.write(shard, rows, values: [values], through: rows.keys.last)
        }
    }
}

/// I2 and I3: a worker without the shard's lease changes nothing.
@Suite(.database) struct FenceTests {
    private let store: TestLedger
    private let connection: PostgresConnection
    private let ownership: Ownership
    private let shard: LeasedShard

    init() throws {
        store = try TestDatabase.current.ledger()
        connection = try TestDatabase.current.connect(setup: PostgresSession.batches + PostgresSession.byIndex)
        _ = try KeyKind.all[1].makeTable(connection, rows: 10)
        ownership = try store.ownedRun()
        shard = try LeasedShard(store, of: ownership)
    }

    /// All data that a batch may change.
    private func everything() throws -> [String] {
        try connection.counts() + connection.counts("xmin")
            + [try store.value("SELECT row(s.*) FROM coord.shard AS s") ?? ""]
    }

    /// The parts of a fence that may be out of date in a zombie.
    enum Staleness: CaseIterable, Sendable {
        case epochBehind, epochAhead, owner, sequenceBehind, sequenceAhead, run, shard

        func apply(to shard: LeasedShard) -> LeasedShard {
            var stale = shard
            switch self {
            case .epochBehind: stale.lease = Lease(shard: shard.lease.shard, epoch: Epoch(0))
            case .epochAhead: stale.lease = Lease(shard: shard.lease.shard, epoch: Epoch(2))
            case .owner: stale.worker = .second
            case .sequenceBehind: stale.sequence -= 1
            case .sequenceAhead: stale.sequence += 1
            case .run: stale.run = RunID(99)
            case .shard: stale.lease = Lease(shard: ShardID(99), epoch: shard.lease.epoch)
            }
            return stale
        }
    }

    @Test(arguments: BatchKind.allCases, Staleness.allCases)
    func staleBatchReturnsNoRowAndChangesNothing(_ kind: BatchKind, _ staleness: Staleness) throws {
        let batches = TestBatches(connection, try kind.target(connection))
        let before = try everything()
        #expect(try kind.advance(batches, staleness.apply(to: shard)) == nil)
        #expect(try everything() == before)
        #expect(try kind.advance(batches, shard)?.sequence == 1)
    }

    @Test(arguments: BatchKind.allCases, [ShardState.pending, .done, .failed])
    func batchOfAShardThatDoesNotRunIsRefused(_ kind: BatchKind, _ state: ShardState) throws {
        let batches = TestBatches(connection, try kind.target(connection))
        try store.end(0, of: shard.run, as: state)
        let before = try everything()
        #expect(try kind.advance(batches, shard) == nil)
        #expect(try everything() == before)
    }

    @Test(arguments: BatchKind.allCases) func batchThatWasCommittedIsRefusedWhenItIsSentAgain(_ kind: BatchKind) throws
    {
        let batches = TestBatches(connection, try kind.target(connection))
        #expect(try kind.advance(batches, shard)?.sequence == 1)
        let after = try everything()
        #expect(try kind.advance(batches, shard) == nil)
        #expect(try everything() == after)
        #expect(try connection.counts() == ["1", "1", "1", "1", "0", "0", "0", "0", "0", "0"])
    }

    @Test(arguments: BatchKind.allCases) func zombieThatWaitsForTheNextLeaseChangesNothing(_ kind: BatchKind)
        async throws
    {
        let target = try kind.target(connection)
        let before = try everything()
        let (zombie, shard) = (
            TestSession(
                TestDatabase.current.settings(
                    setup: PostgresSession.batches + PostgresSession.byIndex + PostgresSession.unhurried)), shard
        )
        let pid = try await zombie.pid()

        try store.connection.execute("BEGIN")
        #expect(try store.coordinator.lease(ShardID(0), to: .second, after: Epoch(1), ownership) != nil)
        async let outcome = zombie.with { try kind.advance(TestBatches($0, target), shard) }
        try await connection.awaitBlocked(pid)
        try store.connection.execute("COMMIT")
        #expect(try await outcome == nil)
        #expect(try everything().dropLast() == before.dropLast())
        #expect(try store.reader.shard(ShardID(0), of: shard.run)?.sequence == 0)
    }

    @Test(arguments: BatchKind.allCases) func copyOfABatchThatWaitsForTheFirstChangesNothing(_ kind: BatchKind)
        async throws
    {
        let target = try kind.target(connection)
        let (copy, shard) = (
            TestSession(
                TestDatabase.current.settings(
                    setup: PostgresSession.batches + PostgresSession.byIndex + PostgresSession.unhurried)), shard
        )
        let pid = try await copy.pid()
        try connection.execute("BEGIN")
        #expect(try kind.advance(TestBatches(connection, target), shard)?.sequence == 1)
        async let outcome = copy.with { try kind.advance(TestBatches($0, target), shard) }
        try await store.connection.awaitBlocked(pid)
        try connection.execute("COMMIT")
        #expect(try await outcome == nil)
        #expect(try connection.counts() == ["1", "1", "1", "1", "0", "0", "0", "0", "0", "0"])
        #expect(try store.reader.shard(ShardID(0), of: shard.run)?.rowsDone == 4)
    }

    @Test(arguments: BatchKind.allCases) func batchThatWaitsForALeaseThatIsRolledBackGoesOn(_ kind: BatchKind)
        async throws
    {
        let target = try kind.target(connection)
        let (worker, shard) = (
            TestSession(
                TestDatabase.current.settings(
                    setup: PostgresSession.batches + PostgresSession.byIndex + PostgresSession.unhurried)), shard
        )
        let pid = try await worker.pid()
        try store.connection.execute("BEGIN")
        _ = try store.coordinator.lease(ShardID(0), to: .second, after: Epoch(1), ownership)
        async let outcome = worker.with { try kind.advance(TestBatches($0, target), shard) }
        try await connection.awaitBlocked(pid)
        try store.connection.execute("ROLLBACK")
        #expect(try await outcome?.rowsDone == 4)
        #expect(try connection.counts() == ["1", "1", "1", "1", "0", "0", "0", "0", "0", "0"])
    }

    @Test(arguments: BatchKind.allCases) func leaseWaitsForABatchAndSeesItsSequence(_ kind: BatchKind) async throws {
        let target = try kind.target(connection)
        let (coordinator, ownership) = (TestSession(TestDatabase.current.settings()), ownership)
        let pid = try await coordinator.pid()
        try connection.execute("BEGIN")
        _ = try kind.advance(TestBatches(connection, target), shard)
        async let sequence = coordinator.with {
            try CoordinatorLedger($0).lease(ShardID(0), to: .second, after: Epoch(1), ownership)?.sequence
        }
        try await store.connection.awaitBlocked(pid)
        try connection.execute("COMMIT")
        #expect(try await sequence == 1)
    }

    // MARK: - Deadlock

    @Test(arguments: BatchKind.allCases) func deadlockSurfacesAsRetryableAndLeavesNothing(_ kind: BatchKind)
        async throws
    {
        // The batch waits at its third row until the test lets it continue. By then the other session holds the fourth
        // row and waits for the first.
        try connection.execute(
            """
            CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END $$
            """)
        try connection.execute(
            "CREATE TRIGGER stop BEFORE UPDATE ON items FOR EACH ROW WHEN (OLD.id = -1700000) EXECUTE FUNCTION stop()")
        let target = try kind.target(connection)
        let shard = shard
        let before = try everything()
        let database = TestDatabase.current
        let worker = TestSession(
            database.settings(
                setup: PostgresSession.batches + PostgresSession.unhurried + ["SET deadlock_timeout = '10ms'"]))
        // The worker must be the one to find the deadlock, so the other session looks only after an hour.
        let user = TestSession(database.settings(setup: ["SET deadlock_timeout = '1h'"]))
        let (workerPID, userPID) = (try await worker.pid(), try await user.pid())

        try store.connection.execute("SELECT pg_advisory_lock(1)")
        async let failure = worker.with { connection in
            let batches = TestBatches(connection, target)
            return try postgresError { _ = try kind.advance(batches, shard) }
        }
        try await connection.awaitBlocked(workerPID)
        async let done: Void = user.with { connection in
            try connection.execute("BEGIN")
            try connection.execute("UPDATE items SET note = 'user' WHERE id = -1600000")
            try connection.execute("UPDATE items SET note = 'user' WHERE id = -1900000")
            try connection.execute("ROLLBACK")
        }
        try await connection.awaitBlocked(userPID)
        try store.connection.execute("SELECT pg_advisory_unlock(1)")

        let error = try await failure
        try await done
        #expect(error.sqlState == "40P01")
        #expect(error.recovery == .retry)
        #expect(try everything() == before)
        try connection.execute("DROP TRIGGER stop ON items")
        #expect(try await worker.with { try kind.advance(TestBatches($0, target), shard) }?.rowsDone == 4)
    }
}
