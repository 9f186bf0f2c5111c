import Batches
import Ledger
import Postgres
import Sharding
import Support
import Testing

/// A batch changes nothing once its table is not the one that the run was made for.
@Suite(.database) struct BindingTests {
    private let store: TestLedger
    private let connection: PostgresConnection
    private let shard: LeasedShard

    init() throws {
        store = try TestDatabase.current.ledger()
        connection = try TestDatabase.current.connect(setup: PostgresSession.batches + PostgresSession.byIndex)
        try connection.execute(
            "CREATE TABLE items (id bigint PRIMARY KEY, n int NOT NULL DEFAULT 0, m int NOT NULL DEFAULT 0)")
        try connection.execute("INSERT INTO items SELECT generate_series(1, 10)")
        shard = try LeasedShard(store, of: try store.ownedRun())
    }

    /// What somebody does to the table between two batches, and words of the reason that is then given.
    static let changes: [(String, [String], String)] = [
        (
            "another table has its name",
            [
                "ALTER TABLE items RENAME TO old", "CREATE TABLE items (LIKE old INCLUDING ALL)",
                "INSERT INTO items SELECT * FROM old",
            ],
            "another table now"
        ),
        (
            "it was restored",
            [
                "CREATE TABLE copy AS SELECT * FROM items", "DROP TABLE items",
                "CREATE TABLE items AS SELECT * FROM copy", "ALTER TABLE items ADD PRIMARY KEY (id)",
            ], "is gone"
        ),
        (
            "columns have changed names",
            ["ALTER TABLE items RENAME n TO x", "ALTER TABLE items RENAME m TO n", "ALTER TABLE items RENAME x TO m"],
            "column n of public.items is named m now"
        ),
        (
            "a column has another type", ["ALTER TABLE items ALTER n TYPE bigint"],
            "has the type bigint now, it had integer"
        ),
        ("a child has come", ["CREATE TABLE child () INHERITS (items)"], "has child tables now"),
        (
            "a rule has come",
            ["CREATE RULE r AS ON UPDATE TO items DO INSTEAD UPDATE items SET m = 1 WHERE id = OLD.id"],
            "the rule r on public.items"
        ),
    ]

    @Test(arguments: changes.indices, BatchKind.allCases)
    func batchIsRefusedAndTheReasonCanBeTold(_ index: Int, kind: BatchKind) throws {
        let (_, statements, reason) = Self.changes[index]
        let target = try kind.target(connection)
        let binding = try Binding.record(of: target, connection)
        let batches = TestBatches(connection, target)
        var shard = shard
        let first = try #require(try kind.advance(batches, shard))
        shard.cursor = first.cursor
        shard.sequence = first.sequence
        #expect(try Binding.fault(binding, table: target.table, connection) == nil)
        for statement in statements { try store.connection.execute(statement) }
        // The fence refuses the batch, or the server does because it no longer knows a name.
        do {
            #expect(try kind.advance(batches, shard) == nil)
        } catch let error as PostgresError {
            #expect(error.recovery == .permanent, "\(error)")
        }
        #expect(try store.reader.shards(of: shard.run)[0].record.sequence == 1)
        #expect(
            try connection.execute("SELECT count(*) FROM ONLY items WHERE (n, m) <> (0, 0) AND id > 4").int(0, 0) == 0)
        let fault = try #require(try Binding.fault(binding, table: target.table, connection))
        #expect(fault.message.contains(reason), "\(fault)")
    }

    /// The ranges and checkpoints are in the order of the key's collation. In another order they mean other rows: some
    /// would be changed twice, and some never.
    @Test(arguments: BatchKind.allCases) func keyWithAnotherCollationRefusesTheBatch(kind: BatchKind) throws {
        for statement in [
            "ALTER TABLE items ALTER id TYPE text COLLATE \"C\"", "UPDATE items SET id = chr(60 + 4 * id::int)",
        ] { try store.connection.execute(statement) }
        let target = try kind.target(connection)
        let binding = try Binding.record(of: target, connection)
        let batches = TestBatches(connection, target)
        var shard = shard
        let first = try #require(try kind.advance(batches, shard))
        shard.cursor = first.cursor
        shard.sequence = first.sequence
        try store.connection.execute("ALTER TABLE items ALTER id TYPE text COLLATE \"POSIX\"")
        // The server may refuse the prepared statement before the fence does. The worker then prepares it anew.
        do { #expect(try kind.advance(batches, shard) == nil) } catch let error as PostgresError {
            #expect(error.sqlState == "0A000", "\(error)")
        }
        func anew() throws -> TestBatches {
            TestBatches(
                try TestDatabase.current.connect(setup: PostgresSession.batches + PostgresSession.byIndex), target)
        }
        #expect(try kind.advance(anew(), shard) == nil)
        let fault = try #require(try Binding.fault(binding, table: target.table, connection))
        #expect(fault.message.contains("has the collation POSIX now, it had C"), "\(fault)")
        #expect(fault.concernsKey && !fault.ways(run: shard.run).contains("coord resume"))
        // A record of an earlier version names no collation.
        let old = try connection.execute(
            "SELECT jsonb_set($1::jsonb, '{columns}', (SELECT jsonb_agg(c - 'collation') FROM jsonb_array_elements($1::jsonb -> 'columns') AS c))",
            [binding]
        ).text(0, 0)
        #expect(try Binding.fault(try #require(old), table: target.table, connection) == nil)
        try store.connection.execute("ALTER TABLE items ALTER id TYPE text COLLATE \"C\"")
        #expect(try Binding.fault(binding, table: target.table, connection) == nil)
        #expect(try kind.advance(anew(), shard) != nil)
    }

    /// The negative control: without the binding, the batch changes the other table.
    @Test(arguments: BatchKind.allCases) func anotherTableWouldBeChangedWithoutTheBinding(kind: BatchKind) throws {
        let batches = TestBatches(
            connection, try kind.target(connection), mechanisms: Mechanisms.all.subtracting(.binding))
        var shard = shard
        let first = try #require(try kind.advance(batches, shard))
        shard.cursor = first.cursor
        shard.sequence = first.sequence
        for statement in Self.changes[0].1 { try store.connection.execute(statement) }
        let second = try #require(try kind.advance(batches, shard))
        #expect(second.rowsDone == 8)
        #expect(try connection.execute("SELECT sum(n) FROM items WHERE id > 4").int(0, 0) == 4)
    }

    @Test(arguments: BatchKind.allCases) func rowSecurityThatIsSwitchedOnRefusesTheBatch(kind: BatchKind) throws {
        let role = try TestDatabase.current.makeRole()
        try connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO \(role)")
        try connection.execute("GRANT USAGE ON SCHEMA coord TO \(role)")
        try connection.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA coord TO \(role)")
        let worker = try TestDatabase.current.connect(role: role)
        for statement in PostgresSession.batches + PostgresSession.byIndex { try worker.execute(statement) }
        let target = try kind.target(worker)
        let binding = try Binding.record(of: target, worker)
        let batches = TestBatches(worker, target)
        var shard = shard
        let first = try #require(try kind.advance(batches, shard))
        shard.cursor = first.cursor
        shard.sequence = first.sequence
        try connection.execute("ALTER TABLE items ENABLE ROW LEVEL SECURITY")
        #expect(try kind.advance(batches, shard) == nil)
        #expect(try Binding.fault(binding, table: target.table, worker)?.kind == .hidden)
        // Row security does not apply to the table's owner.
        #expect(try Binding.fault(binding, table: target.table, connection) == nil)
    }

    @Test func checkpointIsCheckedAgainstItsRangeInTheKeysOwnOrder() throws {
        let statements = BatchStatements(target: try .setting(connection, ["n": "1"]))
        func fits(_ checkpoint: Key, _ after: Key?, _ through: Key?) throws -> Bool? {
            try statements.isInRange(Cursor(checkpoint), KeyRange(after: after, through: through), connection)
        }
        #expect(try fits("9", "5", "10") == true)
        #expect(try fits("10", "5", "10") == true)
        #expect(try fits("5", "5", "10") == false)
        #expect(try fits("11", "5", "10") == false)
        #expect(try fits("7", nil, nil) == true)
        #expect(throws: PostgresError.self) { try fits("garbage", "5", "10") }
    }
}
