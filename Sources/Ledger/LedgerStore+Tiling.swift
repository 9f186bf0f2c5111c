import Postgres
public import Sharding

// Whether the ledger's own rows still are a whole run (I4): people can reach them.
extension LedgerStore {
    /// All shards of the run, which tile its key space.
    /// - Throws: `LedgerError` with code `damaged`.
    public func load(_ run: RunID) throws -> [ShardRecord] {
        try checkTiling(of: run)
        return try shards(of: run).map(\.record)
    }

    /// The shard's row.
    /// - Throws: `LedgerError` with code `damaged` when it is gone, or its run is.
    public func require(_ shard: ShardID, of run: RunID) throws -> ShardRecord {
        if let record = try self.shard(shard, of: run) { return record }
        try checkTiling(of: run)
        throw LedgerError.damaged(run, "expected its shard \(shard), and found no row of it in \(ledger).shard")
    }

    /// Checks that the shards in the ledger tile the run's key space, from below every key to the run's end key.
    /// - Returns: how many there are.
    /// - Throws: `LedgerError` with code `damaged`.
    @discardableResult
    func checkTiling(of run: RunID) throws -> Int {
        let whole = try connection.execute(
            "SELECT end_key, shards FROM \(ledger).run WHERE id = $1::bigint", [run.description])
        guard whole.rows == 1 else { throw LedgerError.gone(run) }
        let result = try connection.execute(
            "SELECT id, after_key, through_key FROM \(ledger).shard WHERE run_id = $1::bigint ORDER BY id",
            [run.description])
        let shards = (0..<result.rows).map { row in
            ShardTiling.Piece(
                shard: ShardID(Int32(result.int(row, 0) ?? 0)),
                range: KeyRange(after: Self.key(result, row, 1), through: Self.key(result, row, 2)))
        }
        if let fault = ShardTiling.fault(in: shards, end: Self.key(whole, 0, 0), planned: whole.int(0, 1)) {
            throw LedgerError.damaged(run, fault)
        }
        return shards.count
    }

    private static func key(_ result: PostgresResult, _ row: Int, _ column: Int) -> Key? {
        Key(literal: result.text(row, column))
    }
}

/// Whether shards tile a key space, whatever order their numbers are in: only PostgreSQL knows the keys' own.
enum ShardTiling {
    struct Piece {
        var shard: ShardID
        var range: KeyRange
        var text: String { "shard \(shard) \(range)" }
    }

    /// What was expected and found; nil when each shard begins where one other ends, from nil to `end`.
    ///
    /// - Parameter planned: how many there were at first. They may have been split since.
    static func fault(in pieces: [Piece], end: Key?, planned: Int64?) -> String? {
        let number =
            planned.map { "\(pieces.count) of \($0) planned shards are there" } ?? "it has \(pieces.count) shards"
        var byAfter: [Key?: Piece] = [:]
        var ends: Set<Key> = []
        for piece in pieces {
            if let other = byAfter.updateValue(piece, forKey: piece.range.after) {
                return "\(other.text) and \(piece.text) begin at the same key, so rows would be changed twice"
            }
            if let through = piece.range.through { ends.insert(through) }
        }
        var reached: Key?
        var last: Piece?
        for count in 1...max(pieces.count, 1) {
            guard let piece = byAfter[reached] else {
                // The one that begins where none ends is what follows the gap.
                let next = pieces.first { piece in piece.range.after.map { !ends.contains($0) } ?? false }
                return "expected a shard from \(reached?.description ?? "-∞") on"
                    + (last.map { ", behind \($0.text)" } ?? "") + ", and found none"
                    + (next.map { "; \($0.text) follows the gap" } ?? "")
                    + " (\(number)): rows would be left out"
            }
            if piece.range.through == end {
                guard count < pieces.count else { return nil }
                return "\(piece.text) ends the run, and \(pieces.count - count) of its \(pieces.count) shards are not "
                    + "among those that lead up to it: rows would be changed twice"
            }
            guard let through = piece.range.through else {
                return "\(piece.text) has no end, and the run ends at \(end?.description ?? "+∞")"
            }
            reached = through
            last = piece
        }
        guard let last, byAfter[reached] != nil else {
            return "expected the last shard to end at \(end?.description ?? "+∞")"
                + (last.map { ", and found \($0.text)" } ?? ", and found no shard")
                + " (\(number)): rows would be left out"
        }
        return "its shards go in a circle, back from \(last.text)"
    }
}
