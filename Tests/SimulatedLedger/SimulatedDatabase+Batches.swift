import Sharding

/// Rows that a worker has read, and later computed.
struct SimulatedBatch {
    struct Entry {
        let key: Int
        /// The `xmin` that was read.
        let version: Int
        var value: SimulatedDatabase.Value
    }

    var entries: [Entry] = []
    /// The deferred keys that this batch has read again.
    var reread: [Int] = []
    /// Where the shard stands after the write; nil if it does not move.
    var cursor: SimulatedCursor?
    var isExhausted = false

    var summary: ReadSummary {
        ReadSummary(rows: entries.count, exhausted: isExhausted)
    }

    mutating func compute() {
        for index in entries.indices { entries[index].value.applied += 1 }
    }
}

extension SimulatedDatabase {
    /// A batch's statement: its lease, and the position that the worker knows.
    struct Order {
        let lease: Lease
        let owner: WorkerID
        let position: Position
        let batchRows: Int

        var cursor: SimulatedCursor { SimulatedCursor(position.cursor) }
        var checkpoint: Int? { cursor.checkpoint }
    }

    /// The rows that a transaction has changed, and the shard's next cursor.
    struct Change {
        var rows: Int64 = 0
        /// Nil if the cursor does not move.
        var cursor: SimulatedCursor?
        var reread: [Int] = []
        var unmatched: [Int] = []
        var isLast = false
    }

    enum Outcome {
        case changed(Change)
        case refused
        case lockTimeout
    }

    // MARK: - Set-based

    mutating func changeRange(_ order: Order) -> Outcome {
        guard passesFence(order) else { return .refused }
        let shard = shards[Int(order.lease.shard.rawValue)]
        let first = index(behind: order.checkpoint ?? shard.after)
        let end = shard.through == nil ? rows.count : index(behind: shard.through)
        let nth = first + order.batchRows - 1
        transaction += 1
        var change = Change()
        change.isLast = nth >= end
        // If the rows behind the checkpoint were deleted, the range has no last key, and the checkpoint stays.
        let last = first < end ? rows[end - 1].key : nil
        let through = change.isLast ? shard.through ?? last : rows[nth].key
        change.cursor = through.map { SimulatedCursor($0) }
        for index in first..<max(first, min(nth + 1, end)) {
            var value = rows[index].value
            value.applied += 1
            write(value, at: index, order)
            change.rows += 1
        }
        return .changed(change)
    }

    // MARK: - Row-based

    /// Reads deferred rows again, then the next rows behind the checkpoint.
    func read(_ shard: ShardID, after checkpoint: Int?, deferred: [Int], limit: Int) -> SimulatedBatch {
        let shard = shards[Int(shard.rawValue)]
        var batch = SimulatedBatch()
        batch.reread = Array(deferred.prefix(limit))
        for key in batch.reread {
            guard let index = index(of: key) else { continue }
            batch.entries.append(entry(rows[index]))
        }
        let room = limit - batch.reread.count
        guard room > 0 else { return batch }
        let first = index(behind: checkpoint ?? shard.after)
        let end = max(first, shard.through == nil ? rows.count : index(behind: shard.through))
        for row in rows[first..<min(first + room, end)] { batch.entries.append(entry(row)) }
        batch.isExhausted = end - first < room
        batch.cursor = end > first ? SimulatedCursor(rows[min(first + room, end) - 1].key) : nil
        return batch
    }

    mutating func changeRows(_ order: Order, _ batch: SimulatedBatch, session: Int) -> Outcome {
        guard passesFence(order) else { return .refused }
        // Nothing is written before the statement has all locks: a lock timeout rolls it back.
        for entry in batch.entries {
            if let holder = locks[entry.key], holder != session { return .lockTimeout }
        }
        transaction += 1
        var change = Change(cursor: batch.cursor, reread: batch.reread, isLast: batch.isExhausted)
        for entry in batch.entries {
            guard let index = index(of: entry.key),
                rows[index].version == entry.version || !mechanisms.contains(.compare)
            else {
                change.unmatched.append(entry.key)
                continue
            }
            write(entry.value, at: index, order)
            change.rows += 1
        }
        if !change.unmatched.isEmpty { audit.count(.rowsDeferred) }
        return .changed(change)
    }

    // MARK: - The checkpoint

    /// Advances the shard in the transaction of its batch. A negative control may delay this call.
    mutating func advance(_ order: Order, _ change: Change) -> (position: Position, isDone: Bool) {
        let index = Int(order.lease.shard.rawValue)
        var shard = shards[index]
        checkLease(shard, order, "advanced")
        let before = shard.cursor
        if let cursor = change.cursor {
            if let fault = before.fault(before: cursor) {
                audit.report(.i2, "shard \(shard.id)'s cursor \(fault) from \(before) to \(cursor)")
            }
            shard.cursor = cursor
        }
        shard.deferred = shard.deferred.filter { !change.reread.contains($0) } + change.unmatched
        shard.sequence += 1
        shard.rowsDone += change.rows
        shard.failures = 0
        if change.isLast, shard.deferred.isEmpty { shard.state = .done }
        shards[index] = shard
        checkStretch(shard, behind: before)
        return (shard.position, shard.state == .done)
    }

    /// Reports rows that were changed without a move of the checkpoint.
    func noteLostCheckpoint(_ change: Change) {
        if change.rows > 0 { audit.report(.i2, "\(change.rows) rows were committed without a checkpoint") }
    }

    // MARK: - Parts

    func passesFence(_ order: Order) -> Bool {
        guard mechanisms.contains(.fence) else { return true }
        let shard = shards[Int(order.lease.shard.rawValue)]
        return shard.epoch == order.lease.epoch && shard.owner == order.owner
            && shard.sequence == order.position.sequence && shard.state == .running
    }

    mutating func write(_ value: Value, at index: Int, _ order: Order) {
        let shard = shards[Int(order.lease.shard.rawValue)]
        checkLease(shard, order, "wrote row \(rows[index].key)")
        rows[index].version = transaction
        rows[index].value = value
        rows[index].truth.applied += 1
        writes += 1
        let row = rows[index]
        if row.truth.applied > 1 {
            audit.report(
                .i1, "row \(row.key) was updated \(row.truth.applied) times, last by \(order.owner), \(order.lease)")
        }
        if row.value.outside != row.truth.outside {
            audit.report(
                .i6, "row \(row.key): \(order.owner), \(order.lease), overwrote a change of the outside application")
        }
        if let after = shard.after, row.key <= after {
            audit.report(.i4, "\(order.lease) wrote row \(row.key) below its range")
        }
        if let through = shard.through, row.key > through {
            audit.report(.i4, "\(order.lease) wrote row \(row.key) above its range")
        }
    }

    private func checkLease(_ shard: Shard, _ order: Order, _ what: @autoclosure () -> String) {
        if shard.epoch == order.lease.epoch, shard.owner == order.owner, shard.state == .running { return }
        audit.report(
            .i3, "\(order.owner) \(what()) under \(order.lease): the shard is \(shard.state), epoch \(shard.epoch)")
    }

    func entry(_ row: Row) -> SimulatedBatch.Entry {
        SimulatedBatch.Entry(key: row.key, version: row.version, value: row.value)
    }
}
