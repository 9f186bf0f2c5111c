import Sharding
import Testing

@testable import Dispatching

@Suite struct ShardTableTests {
    private static let holding = DispatchStateMachine.Holding(
        worker: alice, lease: lease(0), sequence: 0, now: .zero)

    /// Each phase with its place in the counts, and whether a drain waits for it.
    private static let phases: [(phase: DispatchStateMachine.ShardPhase, counts: ShardCounts, isBusy: Bool)] = [
        (.pending(notBefore: .zero), ShardCounts(pending: 1), false),
        (.granting(alice), ShardCounts(pending: 1), true),
        (.leased(holding), ShardCounts(running: 1), true),
        (.recording(lease(0), alice), ShardCounts(running: 1), true),
        (.asking, ShardCounts(running: 1), false),
        (.done, ShardCounts(done: 1), false),
        (.failed, ShardCounts(failed: 1), false),
    ]

    @Test func shardCountsAsWhatItIsFromEachPhaseToEachOther() {
        for before in Self.phases {
            for after in Self.phases {
                var table = ShardTable()
                table[shard(0)] = DispatchStateMachine.ShardEntry(phase: before.phase, epoch: Epoch(1))
                table[shard(0)]?.phase = after.phase
                #expect(table.counts == after.counts)
                #expect(table.busy == (after.isBusy ? 1 : 0))
                #expect(table.count == 1)
            }
        }
    }

    @Test func shardThatIsRemovedCountsAsNothing() {
        for (phase, _, _) in Self.phases {
            var table = ShardTable()
            table[shard(0)] = DispatchStateMachine.ShardEntry(phase: phase, epoch: Epoch(1))
            var emptied = table
            emptied.removeAll()
            table[shard(0)] = nil
            for table in [table, emptied] {
                #expect(table.counts == ShardCounts())
                #expect(table.busy == 0)
                #expect(table.isEmpty)
            }
        }
    }
}
