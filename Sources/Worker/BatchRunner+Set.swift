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
            if !free.isEmpty { return try applyDeferred(free, lease, position, connection, statements) }
            let rows = min(setBased.rows, budget)
            let result: PostgresResult
            do {
                result = try run(lease, position, rows: rows, aroundHeld: false, connection, statements)
            } catch let error as PostgresError where error.sqlState == "55P03" {
                // Somebody holds one of the rows: all others are done without it.
                result = try run(lease, position, rows: rows, aroundHeld: true, connection, statements)
            } catch let error as PostgresError where error.concernsRow {
                throw try blame(error, lease, position, rows: rows, connection, statements)
            }
            return try committed(result, lease, before: position)
        }
    }

    /// One batch of the range; `lower` in place of the position's checkpoint for a trial.
    private func run(
        _ lease: Lease, _ position: Position, rows: Int, aroundHeld: Bool, _ connection: PostgresConnection,
        _ statements: BatchStatements
    ) throws -> PostgresResult {
        let lower = position.checkpoint ?? range.after
        let upper = range.through
        begin(lease, position)
        if let lower { parameters.append(lower.components[0]) }
        if let upper { parameters.append(upper.components[0]) }
        parameters.append(rows - 1)
        if let bytes = setBased.bytes { parameters.append(bytes) }
        let name = "coord_apply_\(lower == nil ? 0 : 1)\(upper == nil ? 0 : 1)\(aroundHeld ? 1 : 0)"
        try connection.prepare(
            name,
            statements.apply(
                hasLower: lower != nil, hasUpper: upper != nil, byBytes: setBased.bytes != nil, aroundHeld: aroundHeld))
        return try connection.executePrepared(name, "", parameters)
    }

    private func applyDeferred(
        _ keys: [Key], _ lease: Lease, _ position: Position, _ connection: PostgresConnection,
        _ statements: BatchStatements
    ) throws -> CommitResult {
        begin(lease, position)
        let keys = Array(keys.prefix(min(setBased.rows, budget)))
        parameters.beginArray(elementType: ElementType.text.rawValue)
        for key in keys { Array(key.components[0].utf8).withUnsafeBytes { parameters.appendElement($0) } }
        parameters.endArray()
        parameters.append(isExhausted(position) ? "t" : "f")
        do {
            let result = try connection.executePrepared("coord_apply_deferred", statements.applyDeferred(), parameters)
            let committed = try committed(result, lease, before: position)
            heldRows.insert(keys.filter(Set(committed.position.deferred).contains))
            return committed
        } catch let error as PostgresError where error.concernsRow && keys.count == 1 {
            throw StepError(
                .permanent,
                "row \(statements.target.key.quoted) \(keys[0]): \(error); batch rolled back, nothing written")
        }
    }

    private func committed(_ result: PostgresResult, _ lease: Lease, before: Position) throws -> CommitResult {
        guard result.rows == 1 else { throw StepError(.fenced, "\(lease) was refused by the fence") }
        let deferred = keys(result.text(0, 4))
        let known = Set(before.deferred)
        heldRows.insert(deferred.filter { !known.contains($0) })
        return CommitResult(
            position: Position(
                checkpoint: result.text(0, 0).map { Key($0) }, deferred: deferred, sequence: result.int(0, 1) ?? 0,
                rowsDone: result.int(0, 2) ?? 0, batchRows: reportedBudget), done: result.bool(0, 3) ?? false)
    }

    func keys(_ array: String?) -> [Key] {
        (PostgresArray.parse(array ?? "{}") ?? []).compactMap { $0.map { Key($0) } }
    }

    /// Finds the row at which a batch fails, by trials on ever fewer rows that are all rolled back.
    private func blame(
        _ error: PostgresError, _ lease: Lease, _ position: Position, rows: Int, _ connection: PostgresConnection,
        _ statements: BatchStatements
    ) throws -> StepError {
        var trial = position
        var rows = rows
        var last = error
        while rows > 1 {
            let half = (rows + 1) / 2
            try connection.execute("BEGIN")
            do {
                let result = try run(lease, trial, rows: half, aroundHeld: false, connection, statements)
                let checkpoint = result.rows == 1 ? result.text(0, 0) : nil
                let isLast = result.rows == 1 ? result.bool(0, 5) ?? true : true
                try connection.execute("ROLLBACK")
                guard let checkpoint, !isLast else { return StepError(last) }
                trial.checkpoint = Key(checkpoint)
                rows -= half
            } catch let error as PostgresError {
                try connection.execute("ROLLBACK")
                guard error.concernsRow else { throw error }
                last = error
                rows = half
            }
        }
        let lower = trial.checkpoint ?? range.after
        let key = try firstKey(above: lower, connection, statements)
        return StepError(
            .permanent,
            "row \(statements.target.key.quoted) \(key ?? "?"): \(last); batch rolled back, nothing written")
    }

    private func firstKey(above lower: Key?, _ connection: PostgresConnection, _ statements: BatchStatements) throws
        -> String?
    {
        try connection.execute(statements.firstKey(hasLower: lower != nil), lower.map { [$0.components[0]] } ?? [])
            .text(0, 0)
    }
}

extension PostgresError {
    /// Whether the error lies in a row: a value, a constraint, a trigger's word. Its place can then be looked for.
    var concernsRow: Bool {
        guard let sqlState else { return false }
        // Data exception, cardinality, integrity constraint, check option, PL/pgSQL's RAISE.
        return ["22", "21", "23", "44", "P0"].contains { sqlState.hasPrefix($0) }
    }
}
