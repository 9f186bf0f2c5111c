import Batches
import Ledger
import Postgres
import Sharding
import Support
import Testing

/// Names in the user's table that need quotes, or that coord's statements use themselves.
@Suite(.database) struct NameTests {
    private let store: TestLedger
    private let connection: PostgresConnection

    init() throws {
        store = try TestDatabase.current.ledger()
        connection = try TestDatabase.current.connect(setup: PostgresSession.batches + PostgresSession.byIndex)
    }

    private static let ledgerNames = [
        "id", "k", "n", "s", "state", "epoch", "owner", "sequence", "checkpoint", "run_id",
    ]
    private static let quotedNames = ["Weird \"Name\"", "select", "a.b", "ä ö", "UPPER", "x'y", "$1"]
    private static let ownNames = [
        "coord_k", "coord_x", "coord_t", "coord_u", "coord_v0", "coord_end", "coord_c0", "coord_n", "coord_through",
        "coord_last",
        "coord_key", "coord_deferred", "coord_d",
    ]

    /// Makes a table of 10 rows with a key and a column `v`, which is 0.
    private func make(table: String, key: String, column: String) throws {
        let quote = connection.quote(identifier:)
        let (table, key, column) = (try quote(table), try quote(key), try quote(column))
        try connection.execute("CREATE TABLE \(table) (\(key) int PRIMARY KEY, \(column) int NOT NULL DEFAULT 0)")
        try connection.execute("INSERT INTO \(table) SELECT generate_series(1, 10)")
    }

    /// Changes the table by both kinds of job, with a condition on the column. Each row must be counted up twice.
    private func check(table: String, key: String, column: String) throws {
        let quoted = try connection.quote(identifier: column)
        let set = try Target.setting(
            connection, table: table, key: [key], [column: "\(quoted) + 1"], where: "\(quoted) = 0")
        var shard = try LeasedShard(store, of: try store.ownedRun("set"))
        #expect(try TestBatches(connection, set).applyAll(&shard, rows: 4).last?.rowsDone == 10)

        let compute = try Target.computing(
            connection, table: table, key: [key], read: [column], writes: [column], where: "\(quoted) = 1")
        shard = try LeasedShard(store, of: try store.ownedRun("compute", cutAt: ["100"]))
        let batches = TestBatches(connection, compute)
        let rows = try batches.read(shard, limit: 20, window: 8)
        #expect(rows.windowEnd == "8")
        #expect(rows.keys == (1...8).map { Key("\($0)") })
        let written = try batches.write(
            shard, rows, values: [rows.keys.map { _ in "2" }], through: "8", exhausted: false)
        #expect(written?.changed == 8)
        #expect(try batches.readDeferred([Key("9")], locking: true).keys == ["9"])
        let table = try connection.quote(identifier: table)
        #expect(try connection.execute("SELECT sum(\(quoted)) FROM \(table)").int(0, 0) == 18)
    }

    @Test(arguments: ledgerNames + quotedNames) func columnsMayHaveNamesOfTheLedgerAndSuchThatNeedQuotes(_ name: String)
        throws
    {
        try make(table: "items", key: "key", column: name)
        try check(table: "items", key: "key", column: name)
    }

    @Test(arguments: ledgerNames + quotedNames) func keysMayHaveNamesOfTheLedgerAndSuchThatNeedQuotes(_ name: String)
        throws
    {
        try make(table: "items", key: name, column: "v")
        try check(table: "items", key: name, column: "v")
    }

    @Test(arguments: ["s", "shard", "run", "u", "Order Items", "a\"b", "table", "unnest"])
    func tablesMayHaveNamesOfTheLedgerAndSuchThatNeedQuotes(_ name: String) throws {
        try make(table: name, key: "id", column: "v")
        try check(table: name, key: "id", column: "v")
    }

    @Test(arguments: ownNames) func columnsMayHaveNamesThatTheStatementsUse(_ name: String) throws {
        try make(table: "items", key: "id", column: name)
        try check(table: "items", key: "id", column: name)
    }

    @Test(arguments: ["coord_fence", "coord_u", "coord_changed", "coord_bound", "coord_window", "coord_rows"])
    func tablesMayHaveNamesThatTheStatementsUse(_ name: String) throws {
        try make(table: name, key: "id", column: "v")
        try check(table: name, key: "id", column: "v")
    }
}
