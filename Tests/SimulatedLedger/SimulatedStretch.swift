import Sharding

/// The keys of a stretch by stripes. Mirrors `Batches.Stretch`: a worker has them only in memory.
struct SimulatedStretch {
    /// Some rows of one stripe, for one batch.
    struct Part: Equatable {
        var keys: [Int]
        /// Where the shard stands once the part is done.
        var cursor: SimulatedCursor
        var isExhausted: Bool
    }

    let shard: ShardID
    /// Where the shard stands once all parts that were taken are done.
    private(set) var cursor: SimulatedCursor
    fileprivate let checkpoint: Int?
    fileprivate let end: Int?
    fileprivate let isExhausted: Bool
    fileprivate let first: Int
    fileprivate let stripes: [[Int]]
    fileprivate let isWhole: Bool
    fileprivate let cut: Int?
    private var stripe = 0
    private var row = 0
    private var isOver = false

    fileprivate init(
        _ shard: ShardID, _ cursor: SimulatedCursor, end: Int?, isExhausted: Bool, first: Int, stripes: [[Int]],
        isWhole: Bool, cut: Int?
    ) {
        self.shard = shard
        self.cursor = cursor
        checkpoint = cursor.checkpoint
        self.end = end
        self.isExhausted = isExhausted
        self.first = first
        self.stripes = stripes
        self.isWhole = isWhole
        self.cut = cut
    }

    mutating func next(rows limit: Int) -> Part? {
        guard !isOver else { return nil }
        while stripe < stripes.count, row >= stripes[stripe].count { (stripe, row) = (stripe + 1, 0) }
        var keys: [Int] = []
        if stripe < stripes.count {
            let left = stripes[stripe].count - row
            let parts = (left + limit - 1) / limit
            keys = Array(stripes[stripe][row..<row + (left + parts - 1) / parts])
            row += keys.count
        }
        isOver =
            stripe >= stripes.count || row == stripes[stripe].count && stripes[(stripe + 1)...].allSatisfy(\.isEmpty)
        let part: Part
        if !isOver, let end {
            let under = SimulatedCursor.Stretch(end: end, stripe: first + stripe, last: keys.last)
            part = Part(keys: keys, cursor: SimulatedCursor(checkpoint, stretch: under), isExhausted: false)
        } else if let end, cut != nil || !isWhole {
            let under = SimulatedCursor.Stretch(end: end, stripe: cut == nil ? first + 1 : first, last: cut)
            part = Part(keys: keys, cursor: SimulatedCursor(checkpoint, stretch: under), isExhausted: false)
        } else {
            part = Part(keys: keys, cursor: SimulatedCursor(end ?? checkpoint), isExhausted: isExhausted)
        }
        cursor = part.cursor
        return part
    }
}

extension SimulatedDatabase {
    /// Looks at what comes behind a cursor, as `Stretch.look`.
    func look(_ shard: ShardID, _ comb: SimulatedComb, behind cursor: SimulatedCursor, rows: Int) -> SimulatedStretch {
        let shard = shards[Int(shard.rawValue)]
        let limit = comb.keys(budget: rows)
        let lower = index(behind: cursor.stretch?.last ?? cursor.checkpoint ?? shard.after)
        let through = cursor.stretch?.end ?? shard.through
        let upper = max(lower, through == nil ? self.rows.count : index(behind: through))
        if let under = cursor.stretch {
            audit.count(.stretchTakenUp)
            let keys = self.rows[lower..<upper].lazy.map(\.key).filter { comb.stripe($0) == under.stripe }
            let found = Array(keys.prefix(limit))
            return SimulatedStretch(
                shard.id, cursor, end: under.end, isExhausted: under.end == shard.through, first: under.stripe,
                stripes: [found], isWhole: under.stripe + 1 >= comb.stripes,
                cut: found.count >= limit ? found.last : nil)
        }
        let found = self.rows[lower..<min(upper, lower + limit)].map(\.key)
        var stripes = Array(repeating: [Int](), count: comb.stripes)
        for key in found { stripes[comb.stripe(key)].append(key) }
        let isFull = found.count >= limit
        return SimulatedStretch(
            shard.id, cursor, end: isFull ? found.last : shard.through ?? found.last, isExhausted: !isFull, first: 0,
            stripes: stripes, isWhole: true, cut: nil)
    }

    /// Applies a batch of a `set` job to the rows of a part.
    mutating func changeKeys(_ order: Order, _ part: SimulatedStretch.Part) -> Outcome {
        guard passesFence(order) else { return .refused }
        transaction += 1
        var change = Change(cursor: part.cursor, isLast: part.isExhausted)
        for key in part.keys {
            guard let index = index(of: key) else { continue }
            var value = rows[index].value
            value.applied += 1
            write(value, at: index, order)
            change.rows += 1
        }
        return .changed(change)
    }

    /// Reads deferred rows again, and the rows of a part if there is one.
    func read(_ part: SimulatedStretch.Part?, deferred: [Int]) -> SimulatedBatch {
        var batch = SimulatedBatch(
            reread: deferred, cursor: part?.cursor, isExhausted: part?.isExhausted ?? false)
        for key in deferred + (part?.keys ?? []) {
            guard let index = index(of: key) else { continue }
            batch.entries.append(entry(rows[index]))
        }
        return batch
    }

    /// Checks that the done rows of a stretch are exactly those that its cursor has passed.
    func checkStretch(_ shard: Shard, behind before: SimulatedCursor) {
        guard let comb else { return }
        let end = shard.cursor.stretch?.end ?? shard.cursor.checkpoint
        let deferred = Set(shard.deferred)
        let first = index(behind: before.checkpoint ?? shard.after)
        for row in rows[first..<max(first, index(behind: end))] where row.isInScope && !deferred.contains(row.key) {
            let isDone = shard.cursor.isDone(row.key, comb)
            if row.truth.applied == (isDone ? 1 : 0) { continue }
            audit.report(
                .i1, "row \(row.key) was updated \(row.truth.applied) times, and its shard stands at \(shard.cursor)")
        }
    }

    /// The cursor in the negative control: the ledger does not keep the end of the stretch, so the next worker takes
    /// the end that it finds itself.
    func withoutEnd(_ cursor: SimulatedCursor, of shard: Shard) -> SimulatedCursor {
        guard let comb, let under = cursor.stretch else { return cursor }
        let first = index(behind: cursor.checkpoint ?? shard.after)
        let upper = shard.through == nil ? rows.count : index(behind: shard.through)
        let nth = first + comb.stretchRows - 1
        guard let end = nth < upper ? rows[nth].key : shard.through ?? rows.last?.key else { return cursor }
        var other = cursor
        other.stretch = SimulatedCursor.Stretch(end: end, stripe: under.stripe, last: under.last)
        return other
    }
}
