import Postgres
import Sharding
import Support
import Testing

@testable import Ledger

@Suite(.database) struct HorizonHoldersTests {
    let connection: PostgresConnection

    init() throws { connection = try TestDatabase.current.connect() }

    private func names(from seconds: Int = 0) throws -> [String] {
        try HorizonHolders.names(from: seconds, limit: 1000, connection)
    }

    @Test func anOldSnapshotOfThisDatabaseComesBeforeOneElsewhere() throws {
        let here = try TestDatabase.current.connect()
        let elsewhere = try PostgresConnection(.init(applicationName: "coord test"))
        try elsewhere.execute("BEGIN")
        try elsewhere.execute("SELECT txid_current()")
        try here.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        try here.execute("SELECT 1")
        let order = try names().compactMap { name in
            [here, elsewhere].firstIndex { name.hasPrefix("pid \($0.backendPID) (") }
        }
        #expect(order == [0, 1])
        #expect(try !names(from: 600).contains { $0.hasPrefix("pid \(here.backendPID) (") })
        try elsewhere.execute("ROLLBACK")
    }

    /// It sees the roles' names, and of another's session neither a snapshot nor a mistake.
    @Test func aRoleThatMaySeeNoOtherSessionsIsToldOfNone() throws {
        let role = try TestDatabase.current.makeRole()
        let here = try TestDatabase.current.connect()
        try here.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        try here.execute("SELECT 1")
        let limited = try TestDatabase.current.connect(role: role)
        let told = try HorizonHolders.names(from: 0, limit: 1000, limited)
        #expect(!told.contains { $0.hasPrefix("pid \(here.backendPID) (") })
    }
}
