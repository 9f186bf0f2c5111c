import Ledger
import Postgres
import Sharding
import Testing

/// A batch steps around a row that somebody holds, and comes back to it.
@Suite(.database) struct HeldRowTests {
    private let store: LedgerStore
    private let connection: PostgresConnection
    private let holder: PostgresConnection
    private let ownership: Ownership

    init() throws {
        store = try TestDatabase.current.ledger()
        connection = try TestDatabase.current.connect(
            setup: PostgresSession.batches + PostgresSession.byIndex + ["SET lock_timeout = '20ms'"])
        holder = try TestDatabase.current.connect()
        try connection.execute("CREATE TABLE items (id bigint PRIMARY KEY, n int NOT NULL DEFAULT 0)")
        try connection.execute("INSERT INTO items SELECT generate_series(1, 10)")
        ownership = try store.ownedRun(cutAt: ["10"])
    }

    private func hold(_ condition: String) throws {
        try holder.execute("BEGIN")
        try holder.execute("SELECT FROM items WHERE \(condition) FOR UPDATE")
    }

    @Test(arguments: [nil, "id <> 7"]) func setBatchLeavesHeldRowsOutAndDefersThem(predicate: String?) throws {
        let statements = BatchStatements(target: try .setting(connection, ["n": "n + 1"], where: predicate))
        var shard = try LeasedShard(store, of: ownership)
        try hold("id IN (3, 6)")
        func parameters(_ more: [String?]) -> PostgresParameters {
            var parameters = shard.parameters
            for text in more { parameters.append(text) }
            return parameters
        }
        let plain = statements.apply(hasLower: false, hasUpper: true)
        let error = #expect(throws: PostgresError.self) {
            try connection.executePrepared("plain", plain, parameters(["10", "99"]))
        }
        #expect(error?.sqlState == "55P03")
        let around = statements.apply(hasLower: false, hasUpper: true, aroundHeld: true)
        let first = try connection.executePrepared("around", around, parameters(["10", "99"]))
        #expect(first.text(0, 0) == "10" && first.bool(0, 3) == false && first.text(0, 4) == "{3,6}", "deferred")
        #expect(first.bool(0, 5) == true)
        let left = predicate == nil ? 0 : 1
        #expect(try connection.execute("SELECT count(*) FROM items WHERE n = 1").int(0, 0) == Int64(8 - left))
        shard.sequence = 1
        // One is free by now, the other is held still.
        try holder.execute("ROLLBACK")
        try hold("id = 6")
        let second = try connection.executePrepared("deferred", statements.applyDeferred(), parameters(["{3,6}", "t"]))
        #expect(second.bool(0, 3) == false && second.text(0, 4) == "{6}")
        shard.sequence = 2
        try holder.execute("ROLLBACK")
        let third = try connection.executePrepared("deferred", statements.applyDeferred(), parameters(["{6}", "t"]))
        #expect(third.bool(0, 3) == true && third.text(0, 4) == "{}")
        #expect(try connection.execute("SELECT count(*) FROM items WHERE n = 1").int(0, 0) == Int64(10 - left))
        #expect(try connection.execute("SELECT max(n) FROM items").int(0, 0) == 1)
        #expect(third.int(0, 2) == Int64(10 - left))
    }

    @Test func deferredRowThatIsGoneOrDoesNotMeetTheConditionAnyMoreIsDropped() throws {
        let statements = BatchStatements(target: try .setting(connection, ["n": "n + 1"], where: "n = 0"))
        let shard = try LeasedShard(store, of: ownership)
        try store.connection.execute("UPDATE coord.shard SET deferred = '{2,3,4}' WHERE id = 0")
        try connection.execute("DELETE FROM items WHERE id = 2")
        try connection.execute("UPDATE items SET n = 5 WHERE id = 3")
        var parameters = shard.parameters
        parameters.append("{2,3,4}")
        parameters.append("f")
        let result = try connection.executePrepared("deferred", statements.applyDeferred(), parameters)
        #expect(result.text(0, 4) == "{}" && result.int(0, 2) == 1 && result.bool(0, 3) == false)
        #expect(try connection.counts() == ["0", "5", "1", "0", "0", "0", "0", "0", "0"])
    }

    @Test func fenceRefusesDeferredRowsToo() throws {
        let statements = BatchStatements(target: try .setting(connection, ["n": "n + 1"]))
        var shard = try LeasedShard(store, of: ownership)
        shard.sequence = 7
        var parameters = shard.parameters
        parameters.append("{2}")
        parameters.append("f")
        #expect(try connection.executePrepared("deferred", statements.applyDeferred(), parameters).rows == 0)
        #expect(try connection.execute("SELECT max(n) FROM items").int(0, 0) == 0)
    }

    @Test func computedBatchLeavesHeldRowsOutAndTellsWhichItTried() throws {
        let target = try Target.computing(connection, read: ["n"], writes: ["n"])
        let batches = Batches(connection, target)
        let shard = try LeasedShard(store, of: ownership)
        let rows = try batches.read(shard, limit: 5)
        try hold("id = 4")
        // Somebody else's change is no lock.
        try store.connection.execute("UPDATE items SET n = 7 WHERE id = 2")
        var parameters = shard.parameters
        parameters.append("5")
        parameters.append("f")
        parameters.appendArray([], as: .text)
        parameters.appendArray(rows.keys, as: .int8)
        parameters.appendArray(rows.xmins, as: .xid)
        parameters.appendArray(rows.ctids, as: .tid)
        parameters.append(0)
        parameters.appendArray(["1", "1", "1", "1", "1"], as: .int4)
        let statement = BatchStatements(target: target).write(aroundHeld: true)
        let result = try connection.executePrepared("around", statement, parameters)
        let deferred = PostgresArray.parse(result.text(0, 4) ?? "")?.compactMap { $0 }.sorted()
        #expect(deferred == ["2", "4"])
        let tried = PostgresArray.parse(result.text(0, 6) ?? "")?.compactMap { $0 }.sorted()
        #expect(tried?.contains("4") == false && tried?.contains("3") == true)
        try holder.execute("ROLLBACK")
        #expect(try connection.counts() == ["1", "7", "1", "0", "1", "0", "0", "0", "0", "0"])
    }

    @Test func holderOfARowIsNamed() throws {
        let statements = BatchStatements(target: try .setting(connection, ["n": "1"]))
        try holder.execute("SET application_name = 'app'")
        try hold("id = 3")
        var keys = PostgresParameters()
        keys.appendArray(["3", "4"], as: .int8)
        #expect(try connection.executePrepared("free", statements.freeRows, keys).text(0, 0) == "4")
        let held = try connection.executePrepared("held", statements.heldRows, keys)
        #expect(held.rows == 2 && held.text(0, 0) == "3" && held.int(0, 1) == Int64(holder.backendPID))
        #expect(held.text(0, 3) == "app" && held.text(1, 1) == nil)
    }
}
