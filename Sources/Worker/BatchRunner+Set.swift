import Batches
import Ledger
import Postgres
import Sharding
import WorkerLoop

// Batches that PostgreSQL computes.
extension BatchRunner {
    func apply(_ lease: Lease, _ position: Position) throws -> CommitResult {
        try step {
            let (connection, statements) = try ready()
            try lookAtHeldRows(position, connection, statements)
            let free = heldRows.free(of: position.deferred)
            let set = SetBatch(statements, bytes: setBased.bytes)
            if !free.isEmpty { return try applyDeferred(free, lease, position, set, connection) }
            let rows = min(setBased.rows, budget)
            let fence = fence(lease, position)
            func run(aroundHeld: Bool) throws(PostgresError) -> BatchOutcome? {
                try set.run(
                    fence, range, behind: position.checkpoint, rows: rows, aroundHeld: aroundHeld, connection)
            }
            let outcome: BatchOutcome?
            do {
                outcome = try run(aroundHeld: false)
            } catch let error as PostgresError where error.sqlState == "55P03" {
                // Somebody holds one of the rows: all others are done without it.
                outcome = try run(aroundHeld: true)
            } catch let error as PostgresError where error.concernsRow {
                throw try blame(error, fence, position, rows: rows, set, connection)
            }
            return try committed(outcome, lease, before: position)
        }
    }

    private func applyDeferred(
        _ keys: [Key], _ lease: Lease, _ position: Position, _ set: SetBatch, _ connection: PostgresConnection
    ) throws -> CommitResult {
        let keys = Array(keys.prefix(min(setBased.rows, budget)))
        do {
            let outcome = try set.runDeferred(
                keys, fence(lease, position), exhausted: isExhausted(position), connection)
            let committed = try committed(outcome, lease, before: position)
            heldRows.insert(keys.filter(Set(committed.position.deferred).contains))
            return committed
        } catch let error as PostgresError where error.concernsRow && keys.count == 1 {
            throw StepError(
                .permanent,
                "row \(set.statements.target.key.quoted) \(keys[0]): \(error); batch rolled back, nothing written",
                cause: StepError.Cause(error, key: keys[0], effect: .rolledBack))
        }
    }

    private func committed(_ outcome: BatchOutcome?, _ lease: Lease, before: Position) throws -> CommitResult {
        guard let outcome else { throw StepError(.fenced, "\(lease) was refused by the fence") }
        let known = Set(before.deferred)
        heldRows.insert(outcome.deferred.filter { !known.contains($0) })
        return result(of: outcome)
    }

    /// Finds the row at which a batch fails, by trials on ever fewer rows that are all rolled back.
    private func blame(
        _ error: PostgresError, _ fence: Fence, _ position: Position, rows: Int, _ set: SetBatch,
        _ connection: PostgresConnection
    ) throws -> StepError {
        var checkpoint = position.checkpoint
        var rows = rows
        var last = error
        while rows > 1 {
            let half = (rows + 1) / 2
            try connection.execute("BEGIN")
            do {
                let outcome = try set.run(fence, range, behind: checkpoint, rows: half, connection)
                try connection.execute("ROLLBACK")
                guard let outcome, let through = outcome.checkpoint, outcome.isLast == false else {
                    return StepError(last)
                }
                checkpoint = through
                rows -= half
            } catch {
                try connection.execute("ROLLBACK")
                guard error.concernsRow else { throw error }
                last = error
                rows = half
            }
        }
        let key = try set.statements.firstKey(above: checkpoint ?? range.after, connection)
        return StepError(
            .permanent,
            "row \(set.statements.target.key.quoted) \(key?.description ?? "?"): \(last); batch rolled back, nothing written",
            cause: StepError.Cause(last, key: key, effect: .rolledBack))
    }
}

extension PostgresError {
    /// Whether the error lies in a row: a value, a constraint, a trigger's word. Its place can then be looked for.
    var concernsRow: Bool {
        guard let sqlState else { return false }
        // Data exception, cardinality, integrity constraint, check option, PL/pgSQL's RAISE.
        return ["22", "21", "23", "44", "P0"].contains { sqlState.hasPrefix($0) }
    }

    /// Whether a computed value may be what was refused. Those of types such as regclass are refused with the codes of a wrong
    /// statement: `relation "x" does not exist`.
    var mayConcernValue: Bool { concernsRow || recovery == .permanent }
}
