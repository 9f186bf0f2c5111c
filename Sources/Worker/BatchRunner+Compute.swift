import Batches
import Compute
import CoordKit
import Ledger
import Postgres
import Sharding
import WorkerLoop

// Batches that a program computes.
extension BatchRunner {
    func read(_ lease: Lease, _ position: Position, locking: Bool) throws -> ReadSummary {
        try step {
            let (connection, statements) = try ready()
            guard let reader else { throw StepError(.permanent, "the job reads nothing") }
            try lookAtHeldRows(position, connection, statements)
            var wanted = position
            wanted.deferred = heldRows.free(of: position.deferred)
            let locking = locking && !wanted.deferred.isEmpty
            if locking {
                try connection.execute("BEGIN")
                // The one transaction that is open while the program computes: for as long as that may take.
                let seconds = computeTimeout.components.seconds + Int64(PostgresSession.statementTimeoutSeconds)
                try connection.execute("SET LOCAL idle_in_transaction_session_timeout = '\(seconds)s'")
            }
            do {
                return try keep(try reader.read(range, wanted, locking: locking, budget: budget, connection))
            } catch let error as PostgresError where error.sqlState == "55P03" && locking {
                // Somebody holds one of them: the others go on without these until they are free.
                heldRows.insert(wanted.deferred)
                throw error
            } catch let error as PostgresError where error.concernsRow {
                if locking { try connection.execute("ROLLBACK") }
                throw try blameRead(error, wanted, reader, connection, statements)
            }
        }
    }

    /// Takes a batch in hand, without the deferred rows that the database does not change.
    private func keep(_ batch: HeldBatch) throws -> ReadSummary {
        var batch = batch
        if batch.deferredRows > 0, !versions.isEmpty, let key = statements?.target.key {
            var kept = RowBatch(columns: batch.rows.columns)
            var unchanged: Int64 = 0
            for row in 0..<batch.rows.rows {
                if row < batch.deferredRows {
                    guard let isUnchanged = versions.isUnchanged(row, of: batch.rows, key) else {
                        throw StepError(
                            .permanent,
                            "row \(key.quoted) \(key.key(of: row, in: batch.rows)) was "
                                + "deferred \(RowVersions.limit) times though nobody has changed it: something keeps moving it",
                            cause: StepError.Cause(key: key.key(of: row, in: batch.rows), effect: .nothingWritten))
                    }
                    if isUnchanged {
                        unchanged += 1
                        continue
                    }
                }
                for column in 0..<batch.rows.columns {
                    batch.rows.withBytes(row: row, column: column) { kept.append($0) }
                }
            }
            if unchanged > 0 {
                batch.rows = kept
                batch.unchanged = unchanged
                batch.summary.rows = kept.rows
            }
        }
        held = batch
        return batch.summary
    }

    func computeBatch() throws {
        guard let held, let compute else { throw StepError(.permanent, "no batch to compute") }
        guard held.rows.rows > 0 else {
            computed = nil
            return
        }
        do {
            computed = try compute.compute(held.rows)
        } catch let error as ComputeError {
            // A transaction that a locking read opened must not outlive the batch.
            if held.locked { connection = nil }
            let cause = StepError.Cause(key: error.key, column: error.column, effect: .nothingWritten)
            guard !error.beforeFirstAnswer else { throw StepError(.unfit, error.description, cause: cause) }
            throw StepError(
                .program, error.description, identity: error.key.map { "\($0) \(error.reason)" }, cause: cause)
        }
    }

    func write(_ lease: Lease, _ position: Position, readNext: Bool) throws -> CommitResult {
        try step {
            let (connection, statements) = try ready()
            guard let batch = held, let reader else { throw StepError(.permanent, "no batch to write") }
            rowsUnderWay = batch.rows.rows
            let fence = fence(lease, position)
            try bind(fence, batch, 0..<batch.rows.rows)
            var next: BatchReader.Request?
            // An error of the look would end the transaction that holds the rows' locks.
            if readNext, !batch.locked {
                var behind = Position(batch.cursor)
                behind.deferred = heldRows.free(of: position.deferred).filter { !batch.deferred.contains($0) }
                do {
                    next = try reader.prepare(range, behind, locking: false, budget: budget, connection)
                } catch let error as PostgresError where error.recovery != .reconnect {
                    // The look at a stretch fails. It is asked for again, and its error is its own: the rows that the
                    // program has computed are written first.
                }
            }
            var outcome: BatchOutcome?
            var prefetched: HeldBatch?
            do {
                (outcome, prefetched) = try exchange(connection, reader, next)
                if batch.locked { try connection.execute("COMMIT") }
            } catch let error as PostgresError where error.sqlState == "55P03" && !batch.locked {
                // Somebody holds one of the rows: all others are written without it.
                (outcome, _) = try exchange(connection, reader, nil, aroundHeld: true)
            } catch let error as PostgresError where error.mayConcernValue {
                if connection.isInTransaction || connection.isInFailedTransaction {
                    try connection.execute("ROLLBACK")
                }
                throw try blame(error, fence, batch, statements, connection)
            }
            guard let outcome else { throw StepError(.fenced, "\(lease) was refused by the fence") }
            noteLeft(outcome.deferred, outcome.attempted.map(Set.init), batch, statements.target.key)
            held = nil
            computed = nil
            if let prefetched { _ = try keep(prefetched) }
            return result(of: outcome, read: held?.summary)
        }
    }

    /// Sorts the rows that a write has left: held by somebody, or left though nobody held them.
    private func noteLeft(_ deferred: [Key], _ attempted: Set<Key>?, _ batch: HeldBatch, _ key: KeySchema) {
        guard !deferred.isEmpty else { return versions.removeAll() }
        var left = Set(deferred)
        if let attempted {
            var mine: Set<Key> = []
            for row in 0..<batch.rows.rows { mine.insert(key.key(of: row, in: batch.rows)) }
            heldRows.insert(deferred.filter { mine.contains($0) && !attempted.contains($0) })
            left.formIntersection(attempted)
        }
        versions.note(left, of: batch.rows, key, deferred: deferred)
    }

    // MARK: - The round trip

    private func bind(_ fence: Fence, _ batch: HeldBatch, _ rows: Range<Int>) throws {
        guard let target = statements?.target, case .compute(_, let writes) = target.change else { return }
        do {
            try writeBatch?.bind(fence, batch, computed ?? RowBatch(columns: writes.count), rows)
        } catch let value as WriteBatch.RefusedValue {
            let key = target.key.key(of: value.row, in: batch.rows)
            let column = value.column
            throw refusal(
                "column \(column.name): not a value of type \(column.typeName); nothing written", key: key, target,
                StepError.Cause(key: key, column: column.name, effect: .nothingWritten))
        }
    }

    /// One round trip: the write, and the next read when one is due. They are transactions of their own.
    private func exchange(
        _ connection: PostgresConnection, _ reader: BatchReader, _ next: BatchReader.Request?, aroundHeld: Bool = false
    ) throws -> (BatchOutcome?, HeldBatch?) {
        guard let write = writeBatch else { throw StepError(.permanent, "the job writes nothing") }
        try write.prepare(aroundHeld: aroundHeld, connection)
        try connection.enterPipeline()
        try write.send(aroundHeld: aroundHeld, connection)
        if let next { try reader.send(next, connection) }
        var failure: PostgresError?
        var outcome: BatchOutcome?
        do { outcome = try write.receive(connection) } catch let error as PostgresError { failure = error }
        var batch: HeldBatch?
        if let next {
            do {
                batch = try reader.receive(next, connection)
            } catch let error as PostgresError {
                guard error.recovery != .reconnect else { throw failure ?? error }
                // The write has committed or failed by itself. The read is asked for again, and its error is its own.
            }
        }
        try connection.leavePipeline()
        if let failure { throw failure }
        return (outcome, batch)
    }

    // MARK: - Whose fault an error is

    private func refusal(_ reason: String, key: Key, _ target: Target, _ cause: StepError.Cause) -> StepError {
        let words = ["row \(target.key.quoted) \(key): \(reason)", compute?.epitaph].compactMap { $0 }
        return StepError(
            .program, "\(compute?.name ?? "the program"): an answer was refused: \(words.joined(separator: "; "))",
            identity: "\(key) \(reason)", cause: cause)
    }

    /// Finds the row at which a write fails, by trials on ever fewer rows that are all rolled back.
    private func blame(
        _ error: PostgresError, _ fence: Fence, _ batch: HeldBatch, _ statements: BatchStatements,
        _ connection: PostgresConnection
    ) throws -> any Error {
        var rows = 0..<batch.rows.rows
        var last = error
        while rows.count > 1 {
            let middle = rows.lowerBound + (rows.count + 1) / 2
            try bind(fence, batch, rows.lowerBound..<middle)
            guard let error = try trial(connection) else {
                rows = middle..<rows.upperBound
                continue
            }
            guard error.mayConcernValue else { return error }
            last = error
            rows = rows.lowerBound..<middle
        }
        try bind(fence, batch, rows)
        // An error that no row has by itself is none of the row that is left.
        guard let error = try trial(connection) else { return last }
        guard error.mayConcernValue else { return error }
        last = error
        let target = statements.target
        let key = target.key.key(of: rows.lowerBound, in: batch.rows)
        var cause = StepError.Cause(last, key: key, effect: .rolledBack)
        // A value that its column cannot take is the program's doing, a violated constraint may be the table's.
        let isConversion = last.sqlState?.hasPrefix("22") == true
        if isConversion || !last.concernsRow {
            if let value = try refusedValue(last, row: rows.lowerBound, fence, batch, target, connection) {
                let column = value.column
                cause.column = column.name
                return refusal(
                    "column \(column.name) of type \(column.typeName): \(last); the value is \(value.excerpt); "
                        + "batch rolled back", key: key, target, cause)
            }
            // Of the statement, then: every shard would meet it.
            guard isConversion else { return last }
            return refusal("\(last); batch rolled back", key: key, target, cause)
        }
        return StepError(
            .permanent,
            "row \(target.key.quoted) \(key): \(last); batch rolled back, nothing written", cause: cause)
    }

    /// Runs the write that was bound, and takes it back.
    /// - Returns: how it failed; nil where it did not.
    func trial(_ connection: PostgresConnection) throws -> PostgresError? {
        try beginTrial(connection)
        do {
            _ = try writeBatch?.run(connection)
            try connection.execute("ROLLBACK")
            return nil
        } catch let error as PostgresError {
            try connection.execute("ROLLBACK")
            return error
        }
    }

    /// Finds the row at which the job's condition fails.
    private func blameRead(
        _ error: PostgresError, _ position: Position, _ reader: BatchReader, _ connection: PostgresConnection,
        _ statements: BatchStatements
    ) throws -> any Error {
        if let error = try blameDeferred(position.deferred, reader, connection, statements) { return error }
        if let comb {
            return try blameLook(error, position.cursor, comb, statements, connection)
        }
        var trial = position
        trial.deferred = []
        var last = error
        var rows = min(budget, limits.rows) * BatchReader.windowFactor
        while rows > 1 {
            let half = (rows + 1) / 2
            do {
                let batch = try reader.read(range, trial, locking: false, budget: half, window: half, connection)
                guard !batch.summary.exhausted, batch.cursor != trial.cursor else { break }
                trial.cursor = batch.cursor
                rows -= half
            } catch let error as PostgresError {
                guard error.concernsRow else { return error }
                last = error
                rows = half
            }
        }
        if rows == 1 {
            // The row that is left is at fault only if it fails by itself.
            do {
                _ = try reader.read(range, trial, locking: false, budget: 1, window: 1, connection)
                rows = 0
            } catch let error as PostgresError where error.concernsRow { last = error }
        }
        let key = rows == 1 ? try statements.firstKey(behind: trial.cursor, range, connection) : nil
        let place = rows == 1 ? "row \(statements.target.key.quoted) \(key?.description ?? "?")" : "reading"
        let cause = StepError.Cause(last, key: key, effect: .nothingWritten)
        return StepError(.permanent, "\(place): \(last); nothing written", cause: cause)
    }

    /// Finds the deferred row at which the job's condition fails; nil where it fails for none of them.
    private func blameDeferred(
        _ keys: [Key], _ reader: BatchReader, _ connection: PostgresConnection, _ statements: BatchStatements
    ) throws -> (any Error)? {
        func failure(_ keys: ArraySlice<Key>) throws -> PostgresError? {
            do {
                try reader.readDeferred(Array(keys), connection)
                return nil
            } catch let error as PostgresError where error.concernsRow { return error }
        }
        guard !keys.isEmpty, var last = try failure(keys[...]) else { return nil }
        var keys = keys[...]
        while keys.count > 1 {
            let half = keys.prefix((keys.count + 1) / 2)
            if let error = try failure(half) { (keys, last) = (half, error) } else { keys = keys.dropFirst(half.count) }
        }
        return StepError(
            .permanent, "row \(statements.target.key.quoted) \(keys[keys.startIndex]): \(last); nothing written",
            cause: StepError.Cause(last, key: keys.first, effect: .nothingWritten))
    }
}
