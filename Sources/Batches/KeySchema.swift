import CoordKit
import Postgres
public import Sharding

/// The columns of a table's key: how many there are, and how keys are named, bound, ordered, compared and decoded.
///
/// No other type knows that a key may have several columns. The order is the index's order, which is also PostgreSQL's
/// order of row values: `(a, b) > (1, 'x')`.
public struct KeySchema: Codable, Sendable, Equatable {
    /// A column of the key.
    public struct Part: Codable, Sendable, Equatable {
        public var column: Target.Column
        public var type: KeyType
        /// The collation, quoted with its schema; nil if the type has none.
        public var collation: String?

        public init(_ column: Target.Column, _ type: KeyType, collation: String? = nil) {
            self.column = column
            self.type = type
            self.collation = collation
        }
    }

    /// In the order of the index.
    public let parts: [Part]

    /// - Parameter parts: 1 to `Key.columnLimit`.
    public init(_ parts: [Part]) {
        precondition((1...Key.columnLimit).contains(parts.count), "a key of \(parts.count) columns")
        self.parts = parts
    }

    public init(_ column: Target.Column, _ type: KeyType, collation: String? = nil) {
        self.init([Part(column, type, collation: collation)])
    }

    public var columns: [Target.Column] { parts.map(\.column) }
    public var count: Int { parts.count }

    /// The key for messages and for SQL: `id`, or `(a, b)`.
    public var quoted: String { Self.tuple(columns.map(\.quoted)) }

    /// Whether a key's text may have more bytes than a number or a UUID.
    var hasLongValues: Bool { parts.contains { [.text, .varchar].contains($0.type) } }

    /// The column of a key with one column; nil for several.
    public var onlyColumn: Target.Column? { count == 1 ? columns.first : nil }

    /// Whether a key has the schema's number of columns. A key that somebody wrote into the ledger by hand may not.
    package func fits(_ key: Key) -> Bool { key.components.count == count }

    /// Whether the column is part of it.
    public func contains(_ column: Target.Column) -> Bool { columns.contains { $0.number == column.number } }

    /// Columns of a batch of rows before the ones that the job reads: the key, xmin and ctid.
    package var systemColumns: Int { count + 2 }
    /// The columns of a batch of rows that hold the key.
    package var batchColumns: Range<Int> { 0..<count }
    var versionColumn: Int { count }
    var placeColumn: Int { count + 1 }
}

extension KeySchema {
    /// A key of another number of columns.
    struct Misfit: Error, Equatable, CustomStringConvertible {
        var key: Key
        var quoted: String
        var description: String { "\(key) is no key of \(quoted): nothing written" }
    }
}

// MARK: - In SQL

extension KeySchema {
    static func tuple(_ terms: [String]) -> String {
        terms.count == 1 ? terms[0] : "(\(terms.joined(separator: ", ")))"
    }

    /// The key's columns, qualified.
    package func names(of alias: String) -> [String] { columns.map { "\(alias).\($0.quoted)" } }

    /// The key as one qualified SQL term.
    package func row(of alias: String) -> String { Self.tuple(names(of: alias)) }

    /// Names for the key's columns in a part of a statement: `k`, or `k0` and `k1`.
    package func labels(_ stem: String) -> [String] { count == 1 ? [stem] : parts.indices.map { "\(stem)\($0)" } }

    /// The key's columns under such names, for a SELECT list.
    package func selected(of alias: String, as labels: [String]) -> String {
        zip(names(of: alias), labels).map { "\($0) AS \($1)" }.joined(separator: ", ")
    }

    package func order(of alias: String, descending: Bool = false) -> String {
        names(of: alias).map { descending ? "\($0) DESC" : $0 }.joined(separator: ", ")
    }

    /// Parameters for a key's values in text form, one for each column, from that number on.
    package func parameters(from number: Int) -> [String] {
        parts.enumerated().map { "$\(number + $0)::\($1.type.sqlName)" }
    }

    /// The comparison with another key, which has one term for each column.
    ///
    /// - Parameter comparison: `<`, `<=` or `>`.
    package func compared(_ comparison: String, _ terms: [String], _ alias: String) -> String {
        "\(row(of: alias)) OPERATOR(pg_catalog.\(comparison)) \(Self.tuple(terms))"
    }

    /// Parameters for many keys, one array for each column, from that number on.
    func arrays(from number: Int) -> [String] {
        parts.enumerated().map { "$\(number + $0)::\($1.type.sqlName)[]" }
    }

    /// Those arrays unnested side by side, for a SELECT list.
    func unnested(from number: Int, as labels: [String]) -> String {
        zip(arrays(from: number), labels).map { "pg_catalog.unnest(\($0)) AS \($1)" }.joined(separator: ", ")
    }

    /// Whether the key is in the arrays, from that parameter on.
    func isAmong(arraysFrom number: Int, _ alias: String) -> String {
        let arrays = arrays(from: number)
        guard count > 1 else { return "\(row(of: alias)) \(BatchStatements.equal) ANY (\(arrays[0]))" }
        let values = arrays.map { "pg_catalog.unnest(\($0))" }.joined(separator: ", ")
        return "\(row(of: alias)) \(BatchStatements.equal) ANY (SELECT \(values))"
    }

    /// Whether the key is in the arrays, from that parameter on, and a part of the statement has a row.
    func isAmong(arraysFrom number: Int, of source: String, _ alias: String) -> String {
        let arrays = arrays(from: number)
        guard count > 1 else {
            return
                "\(row(of: alias)) \(BatchStatements.equal) ANY ((SELECT \(arrays[0]) FROM \(source))::\(parts[0].type.sqlName)[])"
        }
        let values = arrays.map { "pg_catalog.unnest(\($0))" }.joined(separator: ", ")
        return "\(row(of: alias)) \(BatchStatements.equal) ANY (SELECT \(values) FROM \(source))"
    }

    /// Whether the key is in the rows of a part of the statement.
    func isAmong(_ source: String, _ labels: [String], _ alias: String) -> String {
        let rows = "SELECT \(labels.joined(separator: ", ")) FROM \(source)"
        guard count > 1 else { return "\(row(of: alias)) \(BatchStatements.equal) ANY (ARRAY(\(rows)))" }
        return "\(row(of: alias)) \(BatchStatements.equal) ANY (\(rows))"
    }

    /// Whether the key is in an array of texts, the ledger's form of key lists.
    func isAmong(texts: String, _ own: String, _ alias: String) -> String {
        let array = "\(texts)::\(BatchStatements.texts)"
        guard count > 1 else {
            return "\(row(of: alias)) \(BatchStatements.equal) ANY (\(array)::\(parts[0].type.sqlName)[])"
        }
        let values = parts.enumerated().map { "\(own)p.\(own)p[\($0 + 1)]::\($1.type.sqlName)" }
        return """
            \(row(of: alias)) \(BatchStatements.equal) ANY (SELECT \(values.joined(separator: ", "))
                FROM (SELECT \(own)t::\(BatchStatements.texts) AS \(own)p FROM pg_catalog.unnest(\(array)) AS \(own)t) AS \(own)p)
            """
    }

    /// The key as one text, the ledger's form in key lists: the only column's value, or an array's literal.
    func text(of names: [String]) -> String {
        guard count > 1 else { return "\(names[0])::\(BatchStatements.text)" }
        return "\(array(of: names))::\(BatchStatements.text)"
    }

    /// The key as an array of texts, the ledger's form of checkpoints and the ends of ranges.
    func array(of names: [String]) -> String {
        "ARRAY[\(names.map { "\($0)::\(BatchStatements.text)" }.joined(separator: ", "))]"
    }

    /// A key in an array of texts, as a term that compares by the key's own order.
    package func value(ofArray array: String) -> String {
        values(ofTexts: parts.indices.map { "(\(array))[\($0 + 1)]::\(BatchStatements.text)" })
    }

    /// Text columns as a key, as a term that compares by the key's own order.
    package func values(ofTexts names: [String]) -> String {
        Self.tuple(
            zip(names, parts).map { name, part in
                "\(name)::\(part.type.sqlName)" + (part.collation.map { " COLLATE \($0)" } ?? "")
            })
    }
}

// MARK: - Bound and decoded

extension KeySchema {
    /// Appends a key's values, one parameter for each column.
    package func append(_ key: Key, to parameters: inout PostgresParameters) {
        for component in key.components { parameters.append(component) }
    }

    /// Appends keys in text form, one array for each column.
    package func appendTexts(_ keys: [Key], to parameters: inout PostgresParameters) {
        for part in parts.indices {
            parameters.beginArray(elementType: ElementType.text.rawValue)
            for key in keys { Array(key.components[part].utf8).withUnsafeBytes { parameters.appendElement($0) } }
            parameters.endArray()
        }
    }

    /// Appends keys in the columns' own types, one array for each column.
    /// - Throws: `Misfit`.
    func appendArrays(_ keys: [Key], to parameters: inout PostgresParameters) throws {
        var batch = RowBatch(columns: count)
        for key in keys {
            guard fits(key) else { throw Misfit(key: key, quoted: quoted) }
            for component in key.components { batch.append(component) }
        }
        try appendArrays(batch, 0..<batch.rows, to: &parameters)
    }

    /// Appends the keys of some rows of a batch, one array for each column.
    func appendArrays(_ batch: RowBatch, _ rows: Range<Int>, to parameters: inout PostgresParameters) throws {
        for (column, part) in parts.enumerated() {
            try ValueEncoder.append(
                batch, column: column, rows: rows, as: ElementType.of(keyType: part.type), to: &parameters)
        }
    }

    /// The key in the first columns of a row of a batch.
    package func key(of row: Int, in batch: RowBatch) -> Key {
        Key(batchColumns.map { batch.text(row: row, column: $0) ?? "" })
    }

    /// The key in some columns of a result's row; nil if they are null.
    package func key(_ result: PostgresResult, _ row: Int, from column: Int = 0) -> Key? {
        let components = batchColumns.compactMap { result.text(row, column + $0) }
        return components.count == count ? Key(components) : nil
    }

    /// The key in the first columns of a row that has just come; nil if they are null.
    func key(_ row: borrowing PostgresRow) -> Key? {
        var components: [String] = []
        for column in batchColumns {
            guard let text = row.text(column) else { return nil }
            components.append(text)
        }
        return Key(components)
    }

    /// The keys in all rows of a result.
    package func keys(_ result: PostgresResult) -> [Key] { (0..<result.rows).compactMap { key(result, $0) } }

    /// The keys in an array of texts, the ledger's form of key lists.
    func keys(texts array: String?) -> [Key] { Key.list(array, columns: count) }
}

extension PostgresParameters {
    /// Appends a cursor in the ledger's form: checkpoint, end of the stretch, stripe, key in the stripe.
    mutating func append(_ cursor: Cursor) {
        append(cursor.checkpoint?.literal)
        append(cursor.stretch?.end.literal)
        append(cursor.stretch.map { "\($0.stripe)" })
        append(cursor.stretch?.last?.literal)
    }

    /// Appends keys as an array of texts, the ledger's form of key lists.
    mutating func append(_ keys: [Key]) {
        beginArray(elementType: ElementType.text.rawValue)
        for key in keys { Array(key.text.utf8).withUnsafeBytes { appendElement($0) } }
        endArray()
    }
}
