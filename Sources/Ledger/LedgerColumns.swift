import Postgres
import Sharding

/// The columns of one result, looked up by name. Only this type and `LedgerRow` know the columns' numbers.
struct LedgerColumns {
    fileprivate let result: PostgresResult
    fileprivate let query: String
    fileprivate let subject: RunID?

    /// - Parameters:
    ///   - query: the name of the query.
    ///   - subject: the run that the query is about; nil if it is about none or several.
    init(_ result: PostgresResult, query: String, subject: RunID?) {
        self.result = result
        self.query = query
        self.subject = subject
    }

    /// Looks up a column, whose values are read as `Value`.
    func callAsFunction<Value: LedgerValue>(_ name: String, _ type: Value.Type = Value.self) throws(LedgerError)
        -> LedgerColumn<Value>
    {
        guard let index = result.column(named: name) else {
            throw LedgerError.damaged(subject, "\(query) gives no column \(name)")
        }
        return LedgerColumn(name: name, index: index)
    }

    func row(_ index: Int) -> LedgerRow { LedgerRow(columns: self, index: index, subject: subject) }
}

/// A column of one result.
struct LedgerColumn<Value: LedgerValue> {
    fileprivate let name: String
    fileprivate let index: Int
}

/// One row of a result.
///
/// Reading a column gives a value or an error: no default stands in for an unexpected null or an unreadable text.
struct LedgerRow {
    fileprivate let columns: LedgerColumns
    fileprivate let index: Int
    /// The run that the row is about, if known: errors name it.
    var subject: RunID?

    /// The value of a column that is never null.
    /// - Throws: `LedgerError` with code `damaged`, which names the query and the column.
    subscript<Value: LedgerValue>(column: LedgerColumn<Value>) -> Value {
        get throws(LedgerError) {
            if let value = try optional(column) { return value }
            throw damaged(column, nil)
        }
    }

    /// The value of a column that may be null, which is nil.
    /// - Throws: as the subscript, for a text that is no such value.
    func optional<Value: LedgerValue>(_ column: LedgerColumn<Value>) throws(LedgerError) -> Value? {
        guard let text = columns.result.text(index, column.index) else { return nil }
        guard let value = Value(ledgerText: text) else { throw damaged(column, text) }
        return value
    }

    /// The number of characters of a value that an error shows.
    private static let shown = 60

    /// - Parameter found: the column's text; nil for null.
    private func damaged<Value: LedgerValue>(_ column: LedgerColumn<Value>, _ found: String?) -> LedgerError {
        let text = found.map { $0.count > Self.shown ? "\($0.prefix(Self.shown))…" : $0 }
        return LedgerError.damaged(
            subject,
            "\(columns.query) found \(text.map { "'\($0)'" } ?? "null") in the column \(column.name), where there must be "
                + Value.kind)
    }
}
