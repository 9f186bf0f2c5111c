import CoordKit
import Ledger
import Postgres
import Sharding
import Support
import Testing

@testable import Batches

/// A worker that does a shard stripe by stripe. Apart from its walk, it knows only what the ledger says.
final class CombWorker {
    let kind: BatchKind
    let statements: BatchStatements
    private(set) var shard: LeasedShard
    private(set) var deferred: [Key]
    /// The last batch that was sent.
    private(set) var sent: (fence: Fence, batch: Batch)?
    /// Whether a `set` batch tries deferred rows before other rows. A real worker leaves out deferred rows that it
    /// knows to be held.
    var triesDeferred = true
    private let connection: PostgresConnection
    private let walk: StretchWalk
    private let reader: BatchReader
    private let limits: BatchLimits

    /// The content of a batch.
    enum Batch {
        case part(Stretch.Part)
        case computed(HeldBatch, RowBatch)
        case deferred([Key])
    }

    /// - Parameter mechanisms: the safety mechanisms of the worker's statements.
    init(
        _ store: TestLedger, _ kind: BatchKind, _ target: Target, _ comb: Comb, shard id: Int32 = 0,
        of ownership: Ownership, worker: WorkerID = .first, limits: BatchLimits = BatchLimits(),
        mechanisms: Mechanisms = .all
    ) throws {
        self.kind = kind
        self.limits = limits
        statements = BatchStatements(
            target: target, ledger: LedgerSchema.standard.quoted, mechanisms: mechanisms)
        shard = try LeasedShard(store, shard: id, of: ownership, worker: worker, keyColumns: target.key.count)
        deferred = try #require(
            try store.worker.open(
                shard.lease, owner: worker, run: ownership.run, keyColumns: target.key.count)
        ).position.deferred
        connection = try TestDatabase.current.connect(
            setup: PostgresSession.batches + PostgresSession.byIndex + ["SET lock_timeout = '20ms'"])
        walk = StretchWalk(comb)
        reader = BatchReader(
            statements: statements, limits: limits, columns: target.key.systemColumns + 1, comb: comb)
    }

    /// Carries out the next batch. In a `set` job, deferred rows come first.
    ///
    /// - Parameter between: runs after the worker has seen the batch's rows and before it writes them.
    /// - Returns: nil when the fence refused the batch.
    func step(rows: Int = .max, between: () throws -> Void = {}) throws -> BatchOutcome? {
        let batch = try next(rows: rows)
        try between()
        sent = (shard.fence, batch)
        guard let outcome = try send(shard.fence, batch) else { return nil }
        shard.cursor = outcome.cursor
        shard.sequence = outcome.sequence
        deferred = outcome.deferred
        return outcome
    }

    /// Sends the last batch once more, unchanged.
    func sendAgain() throws -> BatchOutcome? {
        let (fence, batch) = try #require(sent)
        return try send(fence, batch)
    }

    /// Carries out batches until the shard is done.
    ///
    /// - Parameter limit: the number of batches after which the shard counts as one that never ends.
    @discardableResult
    func finish(limit: Int = 200) throws -> Int {
        for number in 1...limit where try #require(try step(), "the fence refused a batch").done { return number }
        Issue.record("not done after \(limit) batches: \(shard.cursor)")
        return limit
    }

    private func next(rows: Int) throws -> Batch {
        switch kind {
        case .setBased:
            if triesDeferred, !deferred.isEmpty { return .deferred(deferred) }
            let part = try walk.next(
                statements, shard.range, behind: shard.cursor, limit: .max, budget: min(rows, limits.rows),
                connection)
            return .part(try #require(part))
        case .rowBased:
            var position = Position(shard.cursor)
            position.deferred = deferred
            let batch = try reader.read(shard.range, position, locking: false, budget: rows, connection)
            let key = statements.target.key
            var values = RowBatch(columns: 1)
            for row in 0..<batch.rows.rows {
                let text = batch.rows.text(row: row, column: key.systemColumns)
                values.append(text.flatMap { Int($0) }.map { "\($0 + 1)" })
            }
            return .computed(batch, values)
        }
    }

    private func send(_ fence: Fence, _ batch: Batch) throws -> BatchOutcome? {
        do {
            return try send(fence, batch, aroundHeld: false)
        } catch let error as PostgresError where error.sqlState == "55P03" {
            return try send(fence, batch, aroundHeld: true)
        }
    }

    private func send(_ fence: Fence, _ batch: Batch, aroundHeld: Bool) throws -> BatchOutcome? {
        let set = SetBatch(statements)
        switch batch {
        case .part(let part): return try set.run(fence, part, aroundHeld: aroundHeld, connection)
        case .deferred(let keys):
            let exhausted = statements.isExhausted(shard.cursor, shard.range)
            return try set.runDeferred(keys, fence, exhausted: exhausted, connection)
        case .computed(let held, let values):
            var write = WriteBatch(statements)
            try write.bind(fence, held, values, 0..<held.rows.rows)
            try write.prepare(aroundHeld: aroundHeld, connection)
            try connection.enterPipeline()
            let outcome = Result { [write] in
                try write.send(aroundHeld: aroundHeld, connection)
                return try write.receive(connection)
            }
            try connection.leavePipeline()
            return try outcome.get()
        }
    }
}
