import Ledger
import Postgres
import Sharding
import Support
import Testing

@testable import Batches

/// The rows of `items` in the order of their key, each with its stripe: the oracle for which rows a cursor has done.
struct CombTable {
    let keys: [Key]
    private let stripes: [Int]
    private let ranks: [Key: Int]
    private let kind: CombKind

    init(_ kind: CombKind, _ comb: Comb, _ connection: PostgresConnection) throws {
        self.kind = kind
        // The remainder is written here a second time, so that the oracle does not rely on the code under test. The
        // hash comes from that code.
        let stripe: String
        switch kind.rule {
        case .remainder: stripe = "abs(\(kind.names[kind.names.count - 1])::bigint % \(comb.stripes))"
        case .hash:
            stripe = BatchStatements(target: try kind.target(.setBased, connection)).stripe(comb)
        }
        let result = try connection.execute("SELECT \(kind.list), \(stripe) FROM items ORDER BY \(kind.list)")
        let columns = kind.names.count
        keys = (0..<result.rows).map { row in Key((0..<columns).map { result.text(row, $0) ?? "" }) }
        stripes = (0..<result.rows).map { Int(result.int($0, columns) ?? -1) }
        ranks = Dictionary(uniqueKeysWithValues: keys.enumerated().map { ($1, $0) })
        #expect(stripes.allSatisfy { (0..<comb.stripes).contains($0) })
    }

    /// Whether a row is done when its shard stands at `cursor`.
    func isDone(_ row: Int, at cursor: Cursor) throws -> Bool {
        if let checkpoint = cursor.checkpoint, row <= (try rank(checkpoint)) { return true }
        guard let stretch = cursor.stretch, row <= (try rank(stretch.end)) else { return false }
        if stripes[row] != stretch.stripe { return stripes[row] < stretch.stripe }
        return try stretch.last.map { row <= (try rank($0)) } ?? false
    }

    private func rank(_ key: Key) throws -> Int { try #require(ranks[key], "\(key) is no row's key") }

    /// `n` of each row, in the order of their keys.
    func counts(_ connection: PostgresConnection) throws -> [Int] {
        let result = try connection.execute("SELECT n FROM items ORDER BY \(kind.list)")
        return (0..<result.rows).map { Int(result.int($0, 0) ?? -1) }
    }
}

extension TestLedger {
    /// Makes a run that `.coordinator` owns, whose shards end at `keys`.
    ///
    /// - Parameter through: the end of the last shard; nil for an open end.
    func combRun(_ name: String = "job", cutAt keys: [Key] = [], through: Key? = nil) throws -> Ownership {
        let ends = [nil] + keys.map { Optional($0) } + [through]
        let parts = zip(ends, ends.dropFirst()).map {
            ShardPlan.Part(range: KeyRange(after: $0, through: $1), rowsEstimated: 10)
        }
        var definition = RunDefinition.sample(name)
        definition.endKey = through
        let run = try coordinator.createRun(definition, plan: ShardPlan(parts: parts))
        let ownership = try coordinator.takeOver(run, as: .coordinator, host: "host", pid: 7)
        try keepAlive(run)
        return ownership
    }
}
