import Postgres
import Sharding

/// The deferred rows of the shard in hand that other sessions hold. Batches leave them out until they are free.
package struct HeldRows {
    /// The keys in the order of their discovery.
    private var keys: [Key] = []
    private var known: Set<Key> = []
    private var lookedAt = Duration.zero

    /// The least time between two looks at them.
    static let lookInterval = Duration.milliseconds(200)
    /// The most deferred rows of a shard, since the ledger's row holds their keys. At this number the shard takes up no
    /// further rows.
    package static let limit = 10_000
    /// The most rows of one look.
    static let lookLimit = 1000

    package init() {}

    package var isEmpty: Bool { keys.isEmpty }

    package mutating func insert(_ more: [Key]) {
        for key in more where known.insert(key).inserted { keys.append(key) }
    }

    package mutating func removeAll() {
        keys.removeAll()
        known.removeAll()
    }

    /// The deferred keys without the known held ones.
    package func free(of deferred: [Key]) -> [Key] {
        keys.isEmpty ? deferred : deferred.filter { !known.contains($0) }
    }

    /// Finds the rows that have become free or were deleted.
    ///
    /// - Parameters:
    ///   - waiting: whether nothing else is left to do, so that the look is due at once.
    /// - Returns: the holder of the first row, when nothing else is left to do and all rows are still held.
    package mutating func look(
        _ statements: BatchStatements, waiting: Bool, now: Duration, _ connection: PostgresConnection
    ) throws -> WorkerWait? {
        guard !keys.isEmpty, waiting || now - lookedAt >= Self.lookInterval else { return nil }
        lookedAt = now
        let looked = Array(keys.prefix(Self.lookLimit))
        let list = try Self.parameters(looked, statements.target)
        let free = try connection.executePrepared("coord_free", statements.freeRows, list)
        let present = try connection.executePrepared("coord_held", statements.heldRows, list)
        let key = statements.target.key
        var held = Set(key.keys(present))
        for free in key.keys(free) { held.remove(free) }
        let gone = Set(looked).subtracting(held)
        keys.removeAll { gone.contains($0) }
        known.subtract(gone)
        guard waiting, gone.isEmpty else { return nil }
        for row in 0..<present.rows {
            guard let found = key.key(present, row), held.contains(found) else { continue }
            return WorkerWait(
                words: "waits for \(Self.holder(present, row, from: key.count)) at \(key.quoted) \(found)",
                cause: FailureCause(key: found, holder: present.text(row, key.count).flatMap { Int32($0) }))
        }
        return WorkerWait(words: "waits for rows that somebody holds")
    }

    /// - Parameter column: the first behind the key.
    private static func holder(_ result: PostgresResult, _ row: Int, from column: Int) -> String {
        guard let pid = result.text(row, column) else { return "another transaction" }
        var who = result.text(row, column + 1) ?? "?"
        who += "@" + (result.text(row, column + 3) ?? "local")
        var details = [who]
        if let application = result.text(row, column + 2), !application.isEmpty { details.append(application) }
        if let state = result.text(row, column + 4) { details.append(state) }
        if let seconds = result.text(row, column + 5) { details.append("\(seconds) s") }
        return "pid \(pid) (\(details.joined(separator: ", ")))"
    }

    static func parameters(_ keys: [Key], _ target: Target) throws -> PostgresParameters {
        var list = PostgresParameters()
        try target.key.appendArrays(keys, to: &list)
        return list
    }
}
