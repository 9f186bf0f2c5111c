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
            if walk != nil { return try applyPart(fence, lease, position, rows: rows, set, connection) }
            let outcome: BatchOutcome?
            do {
                outcome = try set.run(fence, range, behind: position.cursor, rows: rows, connection)
            } catch let error as PostgresError where error.sqlState == "55P03" {
                // Somebody holds one of the rows: all others are done without it.
                outcome = try set.run(
                    fence, range, behind: position.cursor, rows: rows, aroundHeld: true, connection)
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
        rowsUnderWay = keys.count
        do {
            let outcome = try set.runDeferred(
                keys, fence(lease, position), exhausted: set.statements.isExhausted(position.cursor, range), connection)
            let committed = try committed(outcome, lease, before: position)
            heldRows.insert(keys.filter(Set(committed.position.deferred).contains))
            return committed
        } catch let error as PostgresError where error.concernsRow {
            throw try blame(error, keys, fence(lease, position), set, connection)
        }
    }

    /// Finds the deferred row at which a batch fails, by trials on ever fewer rows that are all rolled back.
    private func blame(
        _ error: PostgresError, _ keys: [Key], _ fence: Fence, _ set: SetBatch, _ connection: PostgresConnection
    ) throws -> StepError {
        var keys = keys[...]
        while keys.count > 1 {
            let half = keys.prefix((keys.count + 1) / 2)
            let failed = try trial(connection) {
                _ = try set.runDeferred(Array(half), fence, exhausted: false, connection)
            }
            keys = failed == nil ? keys.dropFirst(half.count) : half
        }
        guard let key = keys.first,
            let last = try trial(
                connection, { _ = try set.runDeferred([key], fence, exhausted: false, connection) })
        else { return StepError(error) }
        return failure(last, key, set.statements)
    }

    private func committed(_ outcome: BatchOutcome?, _ lease: Lease, before: Position) throws -> CommitResult {
        guard let outcome else { throw StepError(.fenced, "\(lease) was refused by the fence") }
        let known = Set(before.deferred)
        heldRows.insert(outcome.deferred.filter { !known.contains($0) })
        return result(of: outcome)
    }

    // MARK: - Whose fault an error is

    /// Finds the row at which a batch fails, by trials on ever fewer rows that are all rolled back.
    private func blame(
        _ error: PostgresError, _ fence: Fence, _ position: Position, rows: Int, _ set: SetBatch,
        _ connection: PostgresConnection
    ) throws -> StepError {
        var cursor = position.cursor
        var rows = rows
        var last = error
        while rows > 1 {
            let half = (rows + 1) / 2
            let tried = try trial(set, fence, behind: cursor, rows: half, connection)
            if let error = tried.error {
                last = error
                rows = half
                continue
            }
            guard let outcome = tried.outcome, outcome.cursor != .start, outcome.isLast == false else {
                return StepError(last)
            }
            cursor = outcome.cursor
            rows -= half
        }
        // An error that no row has by itself, such as that of two rows together, is none of the row that is left.
        guard let error = try trial(set, fence, behind: cursor, rows: 1, connection).error else {
            return StepError(last)
        }
        let key = try set.statements.firstKey(behind: cursor, range, connection)
        return failure(error, key, set.statements)
    }

    /// Begins a transaction that will be rolled back. What its commit would check is checked row by row.
    func beginTrial(_ connection: PostgresConnection) throws {
        try connection.execute("BEGIN")
        try connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    }

    /// Tries some rows behind a cursor, and takes back what that did.
    /// - Returns: the outcome, or the error that lies in a row.
    private func trial(
        _ set: SetBatch, _ fence: Fence, behind cursor: Cursor, rows: Int, _ connection: PostgresConnection
    ) throws -> (outcome: BatchOutcome?, error: PostgresError?) {
        var outcome: BatchOutcome?
        let error = try trial(connection) {
            outcome = try set.run(fence, range, behind: cursor, rows: rows, connection)
        }
        return (outcome, error)
    }

    /// Tries a batch, and takes back what it did.
    /// - Returns: the error that lies in a row, if there is one.
    private func trial(_ connection: PostgresConnection, _ batch: () throws -> Void) throws -> PostgresError? {
        try beginTrial(connection)
        do {
            try batch()
            try connection.execute("ROLLBACK")
            return nil
        } catch let error as PostgresError where error.concernsRow {
            try connection.execute("ROLLBACK")
            return error
        }
    }

    private func failure(_ error: PostgresError, _ key: Key?, _ statements: BatchStatements) -> StepError {
        StepError(
            .permanent,
            "row \(statements.target.key.quoted) \(key?.description ?? "?"): \(error); batch rolled back, nothing written",
            cause: StepError.Cause(error, key: key, effect: .rolledBack))
    }
}

// Batches of a stretch.
extension BatchRunner {
    private func applyPart(
        _ fence: Fence, _ lease: Lease, _ position: Position, rows: Int, _ set: SetBatch,
        _ connection: PostgresConnection
    ) throws -> CommitResult {
        guard let part = try nextPart(position, rows: rows, set, connection) else {
            throw StepError(.permanent, "nothing is left of the stretch")
        }
        rowsUnderWay = part.rows.count
        let outcome: BatchOutcome?
        do {
            outcome = try set.run(fence, part, connection)
        } catch let error as PostgresError where error.sqlState == "55P03" {
            // Somebody holds one of the rows: all others are done without it.
            outcome = try set.run(fence, part, aroundHeld: true, connection)
        } catch let error as PostgresError where error.concernsRow {
            throw try blame(error, fence, part, set, connection)
        }
        return try committed(outcome, lease, before: position)
    }

    private func nextPart(
        _ position: Position, rows: Int, _ set: SetBatch, _ connection: PostgresConnection
    ) throws -> Stretch.Part? {
        guard let walk else { return nil }
        do {
            return try walk.next(
                set.statements, range, behind: position.cursor, limit: rows, budget: min(limits.rows, budget),
                connection)
        } catch let error as PostgresError where error.concernsRow {
            throw try blameLook(error, position.cursor, walk.comb, set.statements, connection)
        }
    }

    /// Finds the row of a stretch at which the job's condition fails.
    func blameLook(
        _ error: PostgresError, _ cursor: Cursor, _ comb: Comb, _ statements: BatchStatements,
        _ connection: PostgresConnection
    ) throws -> StepError {
        let keys = StretchWalk(comb).keys(budget: min(limits.rows, budget))
        let key = try Stretch.failingKey(
            statements, comb, range, behind: cursor, keys: keys, isOfRow: \.concernsRow, connection)
        let place = key.map { "row \(statements.target.key.quoted) \($0)" } ?? "the job's condition"
        return StepError(
            .permanent, "\(place): \(error); nothing written",
            cause: StepError.Cause(error, key: key, effect: .nothingWritten))
    }

    /// Finds the row of a part at which a batch fails, by trials on ever fewer rows that are all rolled back.
    private func blame(
        _ error: PostgresError, _ fence: Fence, _ part: Stretch.Part, _ set: SetBatch,
        _ connection: PostgresConnection
    ) throws -> StepError {
        var rows = part.rows
        var last = error
        while rows.count > 1 {
            let half = rows.lowerBound..<rows.lowerBound + (rows.count + 1) / 2
            if let error = try trial(connection, { _ = try set.run(fence, part, rows: half, connection) }) {
                last = error
                rows = half
            } else {
                rows = half.upperBound..<rows.upperBound
            }
        }
        // An error that no row has by itself, such as that of two rows together, is none of the row that is left.
        guard let error = try trial(connection, { _ = try set.run(fence, part, rows: rows, connection) }) else {
            return StepError(last)
        }
        let key = set.statements.target.key
        return failure(error, key.key(of: rows.lowerBound, in: part.keys), set.statements)
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
