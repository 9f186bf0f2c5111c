import Batches
import Ledger
import Postgres
import Sharding
import Support
import Testing

/// A run in the test's database, which this class uses as coordinators and workers do.
final class PostgresRunStore: RunStore {
    private let store: TestLedger
    private let connection: PostgresConnection
    private let run: RunID
    private let plan: ShardPlan
    /// The ownerships by their term.
    private var owned: [Int64: Ownership] = [:]
    private let set: TestBatches
    private let compute: TestBatches
    private var rows = ReadRows()
    private var exhausted = false
    private let comb: Comb?
    /// The walk of each worker, in a run stripe by stripe.
    private var walks: [WorkerID: StretchWalk] = [:]
    /// The part of a stretch that was read last.
    private var part: Stretch.Part?
    private var asked: [Key] = []

    init(_ database: TestDatabase, keys: [Int], plan: ShardPlan, comb: Comb? = nil) throws {
        self.comb = comb
        store = try database.ledger()
        connection = try database.connect(setup: PostgresSession.batches + PostgresSession.byIndex)
        try connection.execute(
            """
            CREATE TABLE items (id bigint PRIMARY KEY, outside int NOT NULL DEFAULT 0, applied int NOT NULL DEFAULT 0)
            """)
        for key in keys { try connection.execute("INSERT INTO items (id) VALUES ($1)", ["\(key)"]) }
        run = try store.coordinator.createRun(.sample(), plan: plan)
        self.plan = plan
        set = TestBatches(connection, try .setting(connection, ["applied": "applied + 1"]))
        let columns = ["outside", "applied"]
        compute = TestBatches(connection, try .computing(connection, read: columns, writes: columns))
    }

    func takeOver(_ coordinator: WorkerID) throws -> Int64? {
        do {
            let ownership = try store.coordinator.takeOver(run, as: coordinator, host: "host", pid: 7)
            owned[ownership.term] = ownership
            return ownership.term
        } catch let error as LedgerError {
            switch error.code {
            case .owned, .wrongState: return nil
            default: throw error
            }
        }
    }

    func loseOwner() throws { try store.forgetSession(of: run) }

    private func ownership(_ hold: RunHold) throws -> Ownership {
        try #require(owned[hold.term])
    }

    func renew(_ hold: RunHold) throws -> Bool { try store.coordinator.renew(ownership(hold), rowsPerSecond: 0) != nil }

    func release(_ hold: RunHold, cancelling: Bool) throws {
        try store.coordinator.release(ownership(hold), as: cancelling ? .cancelled : .paused)
    }

    func lease(_ shard: ShardID, to worker: WorkerID, after epoch: Epoch, _ hold: RunHold) throws -> RunLease? {
        try store.coordinator.lease(shard, to: worker, after: epoch, ownership(hold)).map {
            RunLease(lease: $0.lease, worker: worker, sequence: $0.sequence)
        }
    }

    func recordAttempt(_ held: RunLease, permanent: Bool, attempts: Int, _ hold: RunHold) throws -> AttemptAnswer? {
        try store.coordinator.recordAttempt(
            held.lease, worker: held.worker, outcome: attempts == 0 ? "released" : "failed", error: nil,
            permanent: permanent, attempts: attempts, ownership(hold)
        ).map { AttemptAnswer(state: $0.state, failures: $0.failures) }
    }

    func conclude(_ hold: RunHold) throws -> [Int]? {
        try store.coordinator.conclude(ownership(hold)).map { [$0.pending + $0.running, $0.done, $0.failed] }
    }

    func open(_ held: RunLease) throws -> Position? {
        try store.worker.open(held.lease, owner: held.worker, run: run, keyColumns: 1)?.position.inOrder
    }

    private func shard(_ held: RunLease, _ position: Position) -> LeasedShard {
        LeasedShard(
            run: run, lease: held.lease, worker: held.worker,
            range: plan.parts[Int(held.lease.shard.rawValue)].range, cursor: position.cursor,
            sequence: position.sequence)
    }

    private func answer(_ outcome: BatchOutcome?) -> BatchAnswer? {
        outcome.map { outcome in
            BatchAnswer(
                position: Position(
                    outcome.cursor, deferred: outcome.deferred, sequence: outcome.sequence,
                    rowsDone: outcome.rowsDone
                ).inOrder,
                isDone: outcome.done)
        }
    }

    private func part(_ held: RunLease, _ position: Position, rows: Int, _ comb: Comb) throws -> Stretch.Part? {
        let walk = walks[held.worker] ?? StretchWalk(comb)
        walks[held.worker] = walk
        return try walk.next(
            set.statements, shard(held, position).range, behind: position.cursor, limit: rows, budget: rows, connection)
    }

    func restart(_ worker: WorkerID) { walks[worker] = nil }

    func apply(_ held: RunLease, at position: Position, rows: Int) throws -> BatchAnswer? {
        if let comb {
            let part = try #require(try part(held, position, rows: rows, comb))
            return answer(try SetBatch(set.statements).run(shard(held, position).fence, part, connection))
        }
        return answer(try set.apply(shard(held, position), rows: rows))
    }

    func read(_ held: RunLease, at position: Position, rows limit: Int, deferred: Bool) throws -> [Int] {
        asked = deferred ? position.deferred : []
        part = nil
        if !deferred, let comb {
            let next = try #require(try part(held, position, rows: limit, comb))
            part = next
            rows = try compute.read(next)
            exhausted = next.exhausted
        } else if deferred {
            rows = try compute.readDeferred(asked, locking: false)
            exhausted = false
        } else {
            rows = try compute.read(shard(held, position), limit: limit)
            exhausted = rows.keys.count < limit
        }
        return rows.keys.compactMap { Int($0.text) }
    }

    func write(_ held: RunLease, at position: Position) throws -> BatchAnswer? {
        let outside = rows.values.map { $0[0] }
        let applied = rows.values.map { row in row[1].flatMap { Int($0) }.map { "\($0 + 1)" } }
        return answer(
            try compute.write(
                shard(held, position), rows, values: [outside, applied],
                through: asked.isEmpty ? rows.keys.last : nil, cursor: part?.cursor, exhausted: exhausted,
                deferredRead: asked))
    }

    func change(_ key: Int) throws {
        try store.connection.execute("UPDATE items SET outside = outside + 1 WHERE id = $1", ["\(key)"])
    }

    func insert(_ key: Int) throws {
        try store.connection.execute("INSERT INTO items (id) VALUES ($1) ON CONFLICT DO NOTHING", ["\(key)"])
    }

    func delete(_ key: Int) throws { try store.connection.execute("DELETE FROM items WHERE id = $1", ["\(key)"]) }

    func snapshot() throws -> RunSnapshot {
        let record = try store.reader.run(run)
        let deferred = try store.connection.execute("SELECT deferred FROM coord.shard ORDER BY id")
        let shards = try store.reader.shards(of: run).enumerated().map { index, detail in
            var record = detail.record
            // The simulation does not have these.
            (record.rowsEstimated, record.error) = (0, nil)
            let keys = (PostgresArray.parse(deferred.text(index, 0) ?? "{}") ?? []).compactMap { $0.map { Key($0) } }
            return RunSnapshot.Shard(record: record, cursor: detail.cursor, deferred: Set(keys))
        }
        let table = try store.connection.execute("SELECT id, outside, applied FROM items ORDER BY id")
        func int(_ row: Int, _ column: Int) -> Int { Int(table.int(row, column) ?? 0) }
        return RunSnapshot(
            state: record.state.rawValue, term: record.term, shards: shards,
            rows: (0..<table.rows).map { RunSnapshot.Row(key: int($0, 0), outside: int($0, 1), applied: int($0, 2)) })
    }
}
