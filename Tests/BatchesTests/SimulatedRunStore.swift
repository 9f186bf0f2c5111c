import Sharding

@testable import SimulatedLedger

/// A run in the simulation's database.
final class SimulatedRunStore: RunStore {
    private var database: SimulatedDatabase
    private var now = Duration.zero
    private var batch = SimulatedBatch()
    private let comb: SimulatedComb?
    /// The stretch of each worker, in a run stripe by stripe.
    private var stretches: [WorkerID: SimulatedStretch] = [:]

    init(rows: Int, shards: Int, comb: SimulatedComb? = nil, using random: inout SeededGenerator) {
        // Random calls may break invariants on purpose. Here only the answers count.
        let audit = Audit(isTracing: false, tolerated: Invariant.allCases)
        self.comb = comb
        database = SimulatedDatabase(
            rows: rows, shards: shards, comb: comb, mechanisms: .all, audit: audit, using: &random)
    }

    func takeOver(_ coordinator: WorkerID) -> Int64? {
        database.takeOver(coordinator, now: now).map { Int64($0.term) }
    }

    func loseOwner() { now += SimulatedDatabase.ownership + .seconds(1) }

    private func ownership(_ hold: RunHold) -> SimulatedOwnership {
        SimulatedOwnership(coordinator: hold.coordinator, term: Int(hold.term))
    }

    func renew(_ hold: RunHold) -> Bool { database.renew(ownership(hold), now: now) }

    func release(_ hold: RunHold, cancelling: Bool) {
        database.release(ownership(hold), as: cancelling ? .cancelled : .paused)
    }

    func lease(_ shard: ShardID, to worker: WorkerID, after epoch: Epoch, _ hold: RunHold) -> RunLease? {
        database.lease(shard, to: worker, after: epoch, ownership(hold)).map {
            RunLease(lease: $0.lease, worker: worker, sequence: $0.sequence)
        }
    }

    func recordAttempt(_ held: RunLease, permanent: Bool, attempts: Int, _ hold: RunHold) -> AttemptAnswer? {
        database.recordAttempt(
            held.lease, worker: held.worker, permanent: permanent, attempts: attempts, ownership(hold)
        ).map { AttemptAnswer(state: $0.state, failures: $0.failures) }
    }

    func conclude(_ hold: RunHold) -> [Int]? {
        database.conclude(ownership(hold)).map { [$0.open, $0.done, $0.failed] }
    }

    func open(_ held: RunLease) -> Position? { database.open(held.lease, owner: held.worker)?.inOrder }

    private func order(_ held: RunLease, _ position: Position, rows: Int) -> SimulatedDatabase.Order {
        SimulatedDatabase.Order(lease: held.lease, owner: held.worker, position: position, batchRows: rows)
    }

    private func advance(_ order: SimulatedDatabase.Order, _ outcome: SimulatedDatabase.Outcome) -> BatchAnswer? {
        guard case .changed(let change) = outcome else { return nil }
        let advanced = database.advance(order, change)
        return BatchAnswer(position: advanced.position.inOrder, isDone: advanced.isDone)
    }

    /// Mirrors `StretchWalk.next`.
    private func part(_ held: RunLease, _ position: Position, rows: Int, _ comb: SimulatedComb)
        -> SimulatedStretch.Part?
    {
        let (shard, cursor, limit) = (
            held.lease.shard, SimulatedCursor(position.cursor), min(rows, comb.batchRows)
        )
        if let known = stretches[held.worker], known.shard == shard, known.cursor == cursor,
            let part = stretches[held.worker]?.next(rows: limit)
        {
            return part
        }
        stretches[held.worker] = database.look(shard, comb, behind: cursor, rows: rows)
        return stretches[held.worker]?.next(rows: limit)
    }

    func restart(_ worker: WorkerID) { stretches[worker] = nil }

    func apply(_ held: RunLease, at position: Position, rows: Int) -> BatchAnswer? {
        let order = order(held, position, rows: rows)
        if let comb {
            guard let part = part(held, position, rows: rows, comb) else { return nil }
            return advance(order, database.changeKeys(order, part))
        }
        return advance(order, database.changeRange(order))
    }

    func read(_ held: RunLease, at position: Position, rows: Int, deferred: Bool) -> [Int] {
        let again = deferred ? position.deferred.compactMap { Int($0.description) } : []
        if let comb {
            batch = database.read(deferred ? nil : part(held, position, rows: rows, comb), deferred: again)
            return batch.entries.map(\.key).sorted()
        }
        batch = database.read(
            held.lease.shard, after: position.cursor.checkpoint.flatMap { Int($0.description) }, deferred: again,
            limit: deferred ? again.count : rows)
        return batch.entries.map(\.key).sorted()
    }

    func write(_ held: RunLease, at position: Position) -> BatchAnswer? {
        batch.compute()
        let order = order(held, position, rows: batch.entries.count)
        return advance(order, database.changeRows(order, batch, session: 0))
    }

    func change(_ key: Int) { database.changeFromOutside(key) }
    func insert(_ key: Int) { database.insertFromOutside(key) }
    func delete(_ key: Int) { database.deleteFromOutside(key) }

    func snapshot() -> RunSnapshot {
        RunSnapshot(
            state: "\(database.run.state)", term: Int64(database.run.term),
            shards: database.shards.map { shard in
                RunSnapshot.Shard(
                    record: shard.record, cursor: shard.position.cursor, deferred: Set(shard.position.deferred))
            },
            rows: database.rows.map {
                RunSnapshot.Row(key: $0.key, outside: $0.value.outside, applied: $0.value.applied)
            })
    }

    /// The keys of the run's rows, in their order.
    var keys: [Int] { database.rows.map(\.key) }

    /// The ranges of the run's shards.
    var plan: ShardPlan {
        ShardPlan(
            parts: database.shards.map { shard in
                let range = KeyRange(
                    after: shard.after.map { Key(String($0)) }, through: shard.through.map { Key(String($0)) })
                return ShardPlan.Part(range: range, rowsEstimated: 0)
            })
    }
}
