import Dispatching
import Sharding
import Testing

@testable import SimulatedLedger

/// The simulated database notices a cursor's impossible step (I2), also of a shard's last batch.
@Suite struct CursorAuditTests {
    @Test(arguments: [true, false])
    func cursorThatGoesBackIsNoticed(isLast: Bool) throws {
        let audit = Audit(isTracing: false, tolerated: [])
        var random = SeededGenerator(seed: 1)
        var database = SimulatedDatabase(rows: 20, shards: 1, mechanisms: .all, audit: audit, using: &random)
        let (worker, shard) = (WorkerID("worker"), ShardID(0))
        let taken = database.takeOver(WorkerID("coordinator"), now: .zero)
        let ownership = try #require(taken)
        let given = database.lease(shard, to: worker, after: Epoch(0), ownership)
        let leased = try #require(given)
        func order() -> SimulatedDatabase.Order {
            SimulatedDatabase.Order(
                lease: leased.lease, owner: worker, position: database.shards[0].position, batchRows: 5)
        }
        let keys = database.rows.map(\.key)
        _ = database.advance(order(), SimulatedDatabase.Change(cursor: SimulatedCursor(keys[9])))
        #expect(audit.violation == nil)
        _ = database.advance(order(), SimulatedDatabase.Change(cursor: SimulatedCursor(keys[4]), isLast: isLast))
        #expect(audit.violation?.invariant == .i2)
    }
}
