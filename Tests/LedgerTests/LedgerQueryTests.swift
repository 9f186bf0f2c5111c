import Postgres
import Sharding
import Support
import Testing

@testable import Ledger

/// A row becomes a value by the names of its columns, and never by a default.
@Suite(.database) struct LedgerQueryTests {
    private let store: TestLedger
    init() throws { store = TestLedger(try TestDatabase.current.connect()) }

    /// A row of made-up columns.
    private struct Probe: LedgerQuery {
        static let name = "coord_probe"
        static func sql(_: String) -> String { "SELECT epoch, state FROM probe" }

        var subject: RunID?

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> (Epoch, ShardState?) {
            let state: LedgerColumn<ShardState> = try columns("state")
            let epoch: LedgerColumn<Epoch> = try columns("epoch")
            return { row in (try row[epoch], try row.optional(state)) }
        }
    }

    private func make(_ probe: String) throws {
        try store.connection.execute("DROP VIEW IF EXISTS probe")
        try store.connection.execute("CREATE VIEW probe AS \(probe)")
    }

    private func ask(about run: RunID? = nil) throws -> [(Epoch, ShardState?)] {
        try store.connection.rows(Probe(subject: run), in: "coord")
    }

    @Test func columnsAreFoundByTheirNamesWhateverTheirPlace() throws {
        try make("SELECT 'done' AS state, 7 AS epoch")
        let rows = try ask()
        #expect(rows.count == 1 && rows[0] == (Epoch(7), .done))
        try make("SELECT v AS epoch, NULL::text AS state FROM generate_series(1, 3) AS v")
        #expect(try ask().map(\.0.rawValue) == [1, 2, 3])
        #expect(try ask().allSatisfy { $0.1 == nil })
    }

    /// What stands in the columns, and words that the error must contain.
    static let damages: [(probe: String, told: String)] = [
        ("SELECT NULL::bigint AS epoch, 'done' AS state", "coord_probe found null in the column epoch"),
        ("SELECT 'many' AS epoch, 'done' AS state", "coord_probe found 'many' in the column epoch"),
        ("SELECT '' AS epoch, 'done' AS state", "coord_probe found '' in the column epoch"),
        ("SELECT '7.5' AS epoch, 'done' AS state", "coord_probe found '7.5' in the column epoch"),
        ("SELECT '9223372036854775808' AS epoch, 'done' AS state", "found '9223372036854775808' in the column epoch"),
        ("SELECT 7 AS epoch, 'asleep' AS state", "coord_probe found 'asleep' in the column state"),
        ("SELECT 7 AS epoch, '' AS state", "must be one of pending, running, done, failed"),
    ]

    @Test(arguments: damages) func aValueThatIsNoneIsDamage(_ damage: (probe: String, told: String)) throws {
        try make(damage.probe)
        let error = try ledgerError { _ = try ask(about: RunID(3)) }
        #expect(error.code == .damaged)
        #expect(error.message.contains(damage.told), "\(error)")
        #expect(error.message.contains("run 3") && error.mend?.contains("coord cancel 3") == true)
        // Without a run to give up, the error proposes no cancel.
        let other = try ledgerError { _ = try ask() }
        #expect(other.code == .damaged && other.message.contains(damage.told) && !other.description.contains("cancel"))
    }

    @Test func aLongValueIsNotToldWhole() throws {
        try make("SELECT repeat('x', 5000) AS epoch, 'done' AS state")
        #expect(try ledgerError { _ = try ask() }.message.count < 300)
    }

    @Test func aMissingColumnIsToldEvenWithoutARow() throws {
        struct Odd: LedgerQuery {
            static let name = "coord_odd"
            static func sql(_: String) -> String { "SELECT 1 AS one WHERE false" }
            func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Int {
                let two: LedgerColumn<Int> = try columns("two")
                return { row in try row[two] }
            }
        }
        let error = try ledgerError { _ = try store.connection.rows(Odd(), in: "coord") }
        #expect(error.code == .damaged && error.message.contains("coord_odd gives no column two"))
    }

    @Test func moreRowsThanThereCanBeAreDamage() throws {
        try make("SELECT v AS epoch, 'done' AS state FROM generate_series(1, 2) AS v")
        let error = try ledgerError { _ = try store.connection.first(Probe(), in: "coord") }
        #expect(error.code == .damaged && error.message.contains("coord_probe found 2 rows"))
        try make("SELECT 1 AS epoch, 'done' AS state WHERE false")
        #expect(try store.connection.first(Probe(), in: "coord") == nil)
        let none = try ledgerError { _ = try store.connection.only(Probe(), in: "coord") }
        #expect(none.code == .damaged && none.message.contains("coord_probe found no row"))
    }

    @Test func statementsCarryTheirNameForWhoeverLooksOn() throws {
        struct Look: LedgerQuery {
            static let name = "coord_look"
            static func sql(_: String) -> String {
                "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()"
            }
            func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> String {
                let query: LedgerColumn<String> = try columns("query")
                return { row in try row[query] }
            }
        }
        #expect(try store.connection.only(Look(), in: "coord").hasPrefix("-- name: coord_look\n"))
    }

    // MARK: - Values

    /// The refused texts are not values of the kind.
    @Test func valuesAreReadAsPostgreSQLWritesThemAndNotOtherwise() {
        #expect(Bool(ledgerText: "t") == true && Bool(ledgerText: "f") == false)
        #expect(Bool(ledgerText: "true") == nil && Bool(ledgerText: "") == nil)
        #expect(Int32(ledgerText: "-2147483648") == .min && Int32(ledgerText: "2147483648") == nil)
        #expect(UInt32(ledgerText: "4294967295") == .max && UInt32(ledgerText: "-1") == nil)
        #expect(Double(ledgerText: "1e-3") == 0.001)
        for text in ["NaN", "Infinity", "-Infinity", "", "x"] { #expect(Double(ledgerText: text) == nil) }
        #expect(WorkerID(ledgerText: WorkerID.first.rawValue) == .first)
        for text in ["", "me", String(WorkerID.first.rawValue.dropLast()), WorkerID.first.rawValue + "0"] {
            #expect(WorkerID(ledgerText: text) == nil)
        }
        #expect(RunState(ledgerText: "paused") == .paused && RunState(ledgerText: "Paused") == nil)
        #expect([Int32](ledgerText: "{1,2}") == [1, 2] && [Int32](ledgerText: "{}") == [])
        for text in ["{1,NULL}", "{1,x}", "1,2", "", "[0:1]={1,2}", "{{1},{2}}"] {
            #expect([Int32](ledgerText: text) == nil, "\(text)")
        }
        #expect(Key(ledgerText: "{5,\"a b\"}") == Key(["5", "a b"]))
        // An array with a missing part would be another key.
        for text in ["{}", "{NULL}", "{5,NULL}", "5", ""] { #expect(Key(ledgerText: text) == nil, "\(text)") }
    }
}
