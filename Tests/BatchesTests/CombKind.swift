import Batches
import Postgres
import Testing

/// A key of one or several columns, and how it is cut into stripes.
struct CombKind: Sendable, CustomTestStringConvertible {
    /// Definitions of the key's columns, `a`, `b` and so on.
    var columns: [String]
    /// The values of row `i` from 1, as SQL.
    var values: [String]
    var rule: Comb.Rule

    var testDescription: String { columns.joined(separator: ", ") + " by \(rule)" }
    var names: [String] { Array(["a", "b", "c"].prefix(columns.count)) }
    var list: String { names.joined(separator: ", ") }

    private static let text = """
        (ARRAY['', 'NULL', 'a,b', '{', '"', '\\', ' ', 'ä', 'a' || chr(776), 'Z', 'z', '(1,2)'])[i % 12 + 1]
        """

    static let all = [
        CombKind(columns: ["integer"], values: ["i * 3 - 60"], rule: .remainder),
        CombKind(columns: ["bigint"], values: ["i::bigint * 1000000007 - 20000000000"], rule: .hash),
        // All rows are in one stripe.
        CombKind(columns: ["bigint"], values: ["i * 300"], rule: .remainder),
        CombKind(columns: ["uuid"], values: ["md5(i::text)::uuid"], rule: .hash),
        CombKind(columns: ["text COLLATE \"und-x-icu\""], values: ["\(text) || i / 12"], rule: .hash),
        CombKind(columns: ["varchar(40) COLLATE \"C\""], values: ["md5(i::text)"], rule: .hash),
        CombKind(columns: ["text COLLATE \"C\"", "bigint"], values: ["'k' || i % 3", "20 - i"], rule: .remainder),
        CombKind(columns: ["integer", "text"], values: ["i / 12 - 1", text], rule: .hash),
        CombKind(
            columns: ["varchar(9)", "smallint", "uuid"], values: ["i % 2", "i % 5 - 2", "md5(i::text)::uuid"],
            rule: .hash),
    ]

    /// The kinds that differ most, for tests that take long.
    static let few = [all[0], all[4], all[8]]

    /// Makes a table `items` of `rows` rows, each with `n` zero.
    func makeTable(_ connection: PostgresConnection, rows: Int) throws {
        let columns = zip(names, columns).map { "\($0) \($1)" }.joined(separator: ", ")
        try connection.execute(
            "CREATE TABLE items (\(columns), n int NOT NULL DEFAULT 0, note text, PRIMARY KEY (\(list)))")
        try connection.execute(
            "INSERT INTO items (\(list)) SELECT \(values.joined(separator: ", ")) FROM generate_series(1, \(rows)) AS i"
        )
    }

    func comb(stripes: Int = 3, batchRows: Int = 2, stretchRows: Int = 13) -> Comb {
        Comb(stripes: stripes, rule: rule, batchRows: batchRows, stretchRows: stretchRows)
    }

    func target(_ kind: BatchKind, where predicate: String? = nil, _ connection: PostgresConnection) throws -> Target {
        switch kind {
        case .setBased: try .setting(connection, key: names, ["n": "n + 1"], where: predicate)
        case .rowBased: try .computing(connection, key: names, read: ["n"], writes: ["n"], where: predicate)
        }
    }
}
