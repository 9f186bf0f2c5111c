import Batches
import CoordKit
import Host
import Postgres

// Which column a refused row is refused for.
extension BatchRunner {
    /// Bytes of a value that an error quotes.
    private static let quotedBytes = 200

    /// A value that its column does not take.
    struct RefusedValue {
        var column: Target.Column
        /// Its beginning, with control characters made visible.
        var excerpt: String
    }

    /// The value without which a row's write fails otherwise or not at all; nil where that is said of none, or of several: then
    /// the error lies elsewhere, such as in a trigger's function.
    ///
    /// By trials that are all rolled back: PostgreSQL names neither the column nor the value.
    func refusedValue(
        _ error: PostgresError, row: Int, _ fence: Fence, _ batch: HeldBatch, _ target: Target,
        _ connection: PostgresConnection
    ) throws -> RefusedValue? {
        guard case .compute(_, let writes) = target.change, let computed else { return nil }
        var found: RefusedValue?
        for (index, column) in writes.enumerated() {
            let excerpt = computed.withBytes(row: row, column: index) { bytes in
                bytes.map { String(excerpt: $0, limit: Self.quotedBytes) }
            }
            guard let excerpt else { continue }
            let others = Self.values(computed, of: row, without: index)
            try writeBatch?.bind(fence, batch, others, row..<row + 1)
            let failure = try trial(connection)
            // What has nothing to do with the values, such as a deadlock.
            if let failure, failure.recovery != .permanent { throw failure }
            guard failure != error else { continue }
            if found != nil { return nil }
            found = RefusedValue(column: column, excerpt: excerpt)
        }
        return found
    }

    /// The row's values at the place that they have in their batch, with null for one of them. The rows before it are empty.
    private static func values(_ computed: RowBatch, of row: Int, without index: Int) -> RowBatch {
        var values = RowBatch(columns: computed.columns)
        for _ in 0..<row * computed.columns { values.append(nil as String?) }
        for column in 0..<computed.columns {
            computed.withBytes(row: row, column: column) { values.append(column == index ? nil : $0) }
        }
        return values
    }
}
