import Batches
import Ledger
import Postgres
import Sharding
import Support
import Testing

/// A batch accepts or refuses a computed value exactly as `UPDATE t SET v = $1` does.
@Suite(.database) struct AssignmentTests {
    private let store: TestLedger
    private let connection: PostgresConnection

    init() throws {
        store = try TestDatabase.current.ledger()
        connection = try TestDatabase.current.connect(setup: PostgresSession.batches + PostgresSession.byIndex)
        for statement in [
            "CREATE DOMAIN short AS varchar(5)", "CREATE DOMAIN shorter AS short CHECK (VALUE <> 'no')",
            "CREATE DOMAIN flag AS boolean", "CREATE DOMAIN amount AS numeric(6, 2) CHECK (VALUE >= 0)",
            "CREATE DOMAIN shorts AS varchar(3)[]", "CREATE DOMAIN places AS char(2)",
            "CREATE TYPE mood AS ENUM ('sad', 'happy')", "CREATE TYPE pair AS (a int, b short)",
            "CREATE DOMAIN moody AS mood",
        ] { try connection.execute(statement) }
    }

    static let cases: [(type: String, values: [String?])] = [
        ("short", ["abcde", "abcdef", "abcde   ", "", nil]), ("shorter", ["no", "yes", "abcdef"]),
        ("short[]", ["{abc,abcdef}", "{abc,NULL}"]), ("shorts", ["{abc}", "{abcd}"]), ("places", ["ab", "abc", "a"]),
        ("varchar(5)", ["abcde", "abcdef", "abcde  "]), ("char(3)", ["ab", "abcd", "abc  "]),
        ("varchar(3)[]", ["{abcd}", "{abc}"]),
        ("flag", ["t", "f", nil]), ("amount", ["12.345", "-1", "12345.67", "9999.995", "x"]),
        ("numeric(4, 1)", ["123.45", "1234.5"]),
        ("regclass", ["-", "pg_class", "nonesuch", "0"]), ("regtype", ["-", "int4", "nonesuch"]),
        ("regproc", ["-", "now"]),
        ("name", [String(repeating: "n", count: 70), "x"]), ("\"char\"", ["x", "xy", ""]), ("xml", ["<a/>", "<a"]),
        ("mood", ["sad", "glad"]), ("moody", ["happy", "glad"]), ("pair", ["(1,abc)", "(1,abcdef)", "(x,a)"]),
        ("pair[]", ["{\"(1,abc)\",\"(2,\\\"a,b\\\")\"}", "{\"(1,abcdef)\"}"]),
        ("bit(3)", ["101", "1010"]), ("varbit(3)", ["1010", "1"]), ("date", ["2024-02-30", "infinity", "2024-02-29"]),
        ("timestamptz(0)", ["2024-01-01 00:00:00.6+00"]), ("interval hour", ["01:30:00"]), ("time(0)", ["00:00:00.6"]),
        ("json", ["{\"a\": 1}", "{", "\"\\u0000\""]), ("jsonb", ["{\"a\":  1}", "{", "\"\\u0000\""]),
        ("bytea", ["\\xff00", "\\xf"]),
        ("int4", ["2147483647"]), ("int2", ["-32768"]), ("oid", ["4294967295", "-1"]), ("money", ["12.34"]),
        ("int[]", ["{1,2}", "{1,x}", "[0:1]={1,2}", "{{1},{2}}"]), ("text[]", ["{\"a\\\"b\",NULL,\"NULL\"}"]),
        ("int4range", ["[1,3]", "[3,1]"]), ("inet", ["10.0.0.1/8", "10.0.0.256"]), ("point", ["(1,2)", "1"]),
        ("box[]", ["{(1,2),(3,4);(0,0),(1,1)}"]),
        ("tsvector", ["a:1 b"]), ("pg_lsn", ["0/16B3748"]), ("xid", ["17"]), ("tid", ["(0,1)"]),
        ("macaddr", ["08:00:2b:01:02:03"]),
    ]

    /// The stored value after `body`, or the SQLSTATE of its error.
    private func result(_ body: () throws -> Void) throws -> String {
        do {
            try body()
        } catch let error as PostgresError {
            return error.sqlState ?? "?"
        }
        return "stored " + (try connection.execute("SELECT v::text FROM items").text(0, 0) ?? "null")
    }

    @Test(arguments: cases.indices) func valueIsTakenAsAnAssignmentTakesIt(_ index: Int) throws {
        let (type, values) = Self.cases[index]
        try connection.execute("CREATE TABLE items (id bigint PRIMARY KEY, v \(type))")
        try connection.execute("INSERT INTO items VALUES (1)")
        let target = try Self.resolved(connection)
        let batches = TestBatches(connection, target)
        for value in values {
            try connection.execute("UPDATE items SET v = NULL")
            let wanted = try result { try connection.execute("UPDATE items SET v = $1", [value]) }
            try connection.execute("UPDATE items SET v = NULL")
            try store.connection.execute("DELETE FROM coord.run")
            let shard = try LeasedShard(store, of: try store.ownedRun())
            let found = try result {
                let rows = try batches.read(shard, limit: 10)
                _ = try batches.write(shard, rows, values: [[value]], through: "1")
            }
            // The SQLSTATE is the same too where coord refuses the value before the server sees it.
            #expect(found == wanted, "\(type): \(value ?? "NULL")")
        }
    }

    /// A target whose domains are resolved as the preflight resolves them.
    private static func resolved(_ connection: PostgresConnection) throws -> Target {
        var target = try Target.computing(connection, read: ["v"], writes: ["v"])
        guard case .compute(let read, var writes) = target.change else { return target }
        let base = try connection.execute(
            """
            WITH RECURSIVE t AS (
                SELECT p.* FROM pg_type AS p JOIN pg_attribute AS a ON a.atttypid = p.oid
                WHERE a.attrelid = 'items'::regclass AND a.attname = 'v'
                UNION ALL SELECT p.* FROM t JOIN pg_type AS p ON p.oid = t.typbasetype WHERE t.typtype = 'd'
            )
            SELECT t.oid, quote_ident(n.nspname) || '.' || quote_ident(t.typname), t.typarray <> 0,
                EXISTS (SELECT FROM pg_cast WHERE castsource = 25 AND casttarget = t.oid)
            FROM t JOIN pg_namespace AS n ON n.oid = t.typnamespace WHERE t.typtype <> 'd'
            """)
        writes[0].value = ValueType(
            base: UInt32(base.int(0, 0) ?? 0), name: base.text(0, 1) ?? "", hasArray: base.bool(0, 2) ?? false,
            hasTextCast: base.bool(0, 3) ?? false)
        target.change = .compute(read: read, writes: writes)
        return target
    }
}
