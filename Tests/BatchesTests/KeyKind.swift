import Ledger
import Postgres
import Sharding
import Testing

/// A type of key column, and the keys to fill a table with.
struct KeyKind: Sendable, CustomTestStringConvertible {
    /// The column's definition, without its name.
    var column: String
    /// The key of row `i` from 1, as SQL. Where the type allows it, neighbouring rows do not have neighbouring keys.
    var expression: String

    var testDescription: String { column }

    static let all: [KeyKind] = [
        KeyKind(column: "smallint", expression: "(i * 7 - 150)::smallint"),
        KeyKind(column: "integer", expression: "i * 100000 - 2000000"),
        KeyKind(column: "bigint", expression: "CASE WHEN i % 2 = 0 THEN i ELSE 1000000000000 + i END"),
        KeyKind(column: "uuid", expression: "md5(i::text)::uuid"),
        KeyKind(column: "text", expression: Self.text),
        KeyKind(column: "text COLLATE \"C\"", expression: Self.text),
        KeyKind(column: "text COLLATE \"und-x-icu\"", expression: Self.text),
        KeyKind(column: "varchar(40)", expression: Self.text),
        KeyKind(column: "varchar COLLATE \"de-x-icu\"", expression: Self.text),
    ]

    /// Upper and lower case, accents, spaces, quotes, braces, and one empty text.
    private static let text = """
        CASE i WHEN 1 THEN '' WHEN 2 THEN 'NULL' WHEN 3 THEN 'null' ELSE
            (ARRAY['a', 'B', 'ä', 'Z', '_', '{', '"', '\\', ' ', ''''])[i % 10 + 1] || ' ' || md5(i::text) END
        """

    /// Makes a table `items` of `rows` rows, each with `n` zero, and returns its keys in their order.
    func makeTable(_ connection: PostgresConnection, rows: Int) throws -> [String] {
        try connection.execute("CREATE TABLE items (id \(column) PRIMARY KEY, n int NOT NULL DEFAULT 0, note text)")
        try connection.execute("INSERT INTO items (id) SELECT \(expression) FROM generate_series(1, \(rows)) AS i")
        let result = try connection.execute("SELECT id::text AS key FROM items ORDER BY id")
        let keys = (0..<result.rows).compactMap { result.text($0, 0) }
        try #require(keys.count == rows)
        return keys
    }
}

extension PostgresConnection {
    /// The values of a column of `items`, `n` by default, in the order of the keys.
    func counts(_ column: String = "n") throws -> [String] {
        let result = try execute("SELECT \(column) FROM items ORDER BY id")
        return (0..<result.rows).map { result.text($0, 0) ?? "null" }
    }
}

func available(collationOf column: String, _ connection: PostgresConnection) throws -> Bool {
    guard let name = column.split(separator: "\"").dropFirst().first else { return true }
    return try connection.execute("SELECT FROM pg_collation WHERE collname = $1", [String(name)]).rows > 0
}
