import CoordKit
import Postgres
import Sharding

/// Deferred rows of the shard in hand that somebody else holds: they are left alone until they are free.
package struct HeldRows {
    /// In the order in which they were met.
    private var keys: [Key] = []
    private var known: Set<Key> = []
    private var lookedAt = Duration.zero

    /// The least time between two looks at them.
    static let lookInterval = Duration.milliseconds(200)
    /// The most rows of a shard that may be deferred before no further rows are taken up: the ledger's row holds their keys.
    package static let limit = 10_000
    /// Rows that are looked at in one go.
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

    /// The deferred keys that are not known to be held.
    package func free(of deferred: [Key]) -> [Key] {
        keys.isEmpty ? deferred : deferred.filter { !known.contains($0) }
    }

    /// Looks which of the rows are free by now, or gone.
    ///
    /// - Parameters:
    ///   - waiting: nothing else is left to do, so that the look is due in any case.
    /// - Returns: who holds the first of them, when nothing else is left and all are still held.
    package mutating func look(
        _ statements: BatchStatements, waiting: Bool, now: Duration, _ connection: PostgresConnection
    ) throws -> String? {
        guard !keys.isEmpty, waiting || now - lookedAt >= Self.lookInterval else { return nil }
        lookedAt = now
        let looked = Array(keys.prefix(Self.lookLimit))
        let list = try Self.parameters(looked, statements.target)
        let free = try connection.executePrepared("coord_free", statements.freeRows, list)
        let present = try connection.executePrepared("coord_held", statements.heldRows, list)
        var held: Set<Key> = Set((0..<present.rows).compactMap { row in present.text(row, 0).map { Key($0) } })
        for row in 0..<free.rows { if let key = free.text(row, 0) { held.remove(Key(key)) } }
        let gone = Set(looked).subtracting(held)
        keys.removeAll { gone.contains($0) }
        known.subtract(gone)
        guard waiting, gone.isEmpty else { return nil }
        for row in 0..<present.rows {
            guard let key = present.text(row, 0), held.contains(Key(key)) else { continue }
            return "waits for \(Self.holder(present, row)) at \(statements.target.key.quoted) \(key)"
        }
        return "waits for rows that somebody holds"
    }

    private static func holder(_ result: PostgresResult, _ row: Int) -> String {
        guard let pid = result.text(row, 1) else { return "another transaction" }
        var who = result.text(row, 2) ?? "?"
        who += "@" + (result.text(row, 4) ?? "local")
        var details = [who]
        if let application = result.text(row, 3), !application.isEmpty { details.append(application) }
        if let state = result.text(row, 5) { details.append(state) }
        if let seconds = result.text(row, 6) { details.append("\(seconds) s") }
        return "pid \(pid) (\(details.joined(separator: ", ")))"
    }

    static func parameters(_ keys: [Key], _ target: Target) throws -> PostgresParameters {
        var batch = RowBatch(columns: 1)
        for key in keys { batch.append(key.components[0]) }
        var list = PostgresParameters()
        try ValueEncoder.append(
            batch, column: 0, rows: batch.rows, as: ElementType.of(keyType: target.keyType), to: &list)
        return list
    }
}
