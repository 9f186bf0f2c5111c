import DequeModule
import OrderedCollections
import Sharding
import Testing

@testable import Dispatching

@Suite struct InvariantTests {
    struct Damage: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let words: String
        let damage: @Sendable (inout DispatchStateMachine) -> Void
    }

    /// States that only a mistake in the machine can cause. Shard 0 is leased to alice, shard 1 to bob, shard 2 is
    /// pending.
    static let damages = [
        Damage(testDescription: "a conclusion too early", words: "a run with open shards is concluded") {
            $0.phase = .concluding
        },
        Damage(testDescription: "a drain of nobody's", words: "it drains though nobody asked for it") {
            $0.phase = .draining
        },
        Damage(testDescription: "nothing left to do", words: "nothing is left to dispatch") {
            for number in Int32(0)..<3 { $0.shards[shard(number)]?.phase = .done }
        },
        Damage(
            testDescription: "a pending shard that is forgotten",
            words: "1 shards are pending, and 0 wait to be granted"
        ) {
            $0.ready.removeAll()
        },
        Damage(testDescription: "a shard that waits twice", words: "1 shards are pending, and 2 wait to be granted") {
            $0.delayed.insert(shard(2))
        },
        Damage(testDescription: "a leased shard that waits", words: "shard 0 waits to be granted and is not pending") {
            $0.ready.append(shard(0))
        },
        Damage(testDescription: "a lease of nobody's", words: "is leased to alice, which does not have it") {
            $0.workers.removeValue(forKey: alice)
        },
        Damage(testDescription: "a shard with two workers", words: "alice has shard 1, which is not leased to it") {
            $0.workers[alice]?.shards.insert(shard(1))
        },
        Damage(testDescription: "a lease of an older epoch", words: "shard 0 at epoch 7 is leased as shard 0 epoch 1") {
            $0.shards[shard(0)]?.epoch = Epoch(7)
        },
    ]

    @Test(arguments: damages) func brokenInvariantIsNoticed(damage: Damage) {
        var machine = Bench.dispatching(3, [alice, bob]).machine
        #expect(machine.checkInvariants() == nil)
        damage.damage(&machine)
        #expect(machine.checkInvariants()?.contains(damage.words) == true)
    }

    struct Mistake: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let words: String
        let event: @Sendable (inout DispatchStateMachine) -> [DispatchAction]
    }

    /// Events that the shell must not report: neither the network nor a reload can cause them.
    static let mistakes = [
        Mistake(testDescription: "a lease of no shard", words: "about shard 9") {
            $0.leaseRecorded(lease(9, 5), worker: alice, sequence: 3, now: .zero)
        },
        Mistake(testDescription: "a refusal of no shard", words: "about shard 9") {
            $0.leaseRefused(shard(9), worker: alice, now: .zero)
        },
        Mistake(testDescription: "an attempt on no shard", words: "about shard 9") {
            $0.attemptRecorded(lease(9, 5), state: .failed, failures: 9, now: .zero)
        },
        Mistake(testDescription: "a row of no shard", words: "about shard 9") { $0.shardRead(record(9), now: .zero) },
        Mistake(testDescription: "an expiry that its worker reports", words: "says of itself that it has expired") {
            $0.attemptReported(lease(9), worker: alice, AttemptEnd(.expired), now: .zero)
        },
    ]

    @Test(arguments: mistakes) func eventThatCannotBeIsTheShellsMistake(mistake: Mistake) {
        var machine = Bench.dispatching(3, [alice, bob]).machine
        #expect(mistake.event(&machine) == [])
        #expect(machine.checkInvariants()?.contains(mistake.words) == true)
    }

    @Test func leaseThatSkipsAnEpochIsTheLedgersMistake() {
        var machine = Bench.dispatching(1).machine
        _ = machine.workerJoined(alice, credit: 1, now: .zero)
        _ = machine.leaseRecorded(lease(0, 2), worker: alice, sequence: 0, now: .zero)
        #expect(machine.checkInvariants() == "shard 0 epoch 2 was recorded after epoch 0")
    }

    @Test(arguments: [[record(0), record(0)], [record(0)]])
    func reloadWithOtherShardsIsTheLedgersMistake(records: [ShardRecord]) {
        var machine = Bench.dispatching(2).machine
        machine.ledgerLost()
        _ = machine.shardsLoaded(records, now: .zero)
        #expect(machine.checkInvariants()?.hasPrefix("\(records.count) rows of the ledger are 1 shards") == true)
    }

    /// The check of so many shards after each event would take as long as the run.
    @Test func runWithVeryManyShardsIsNotWalkedThrough() {
        var machine = Bench.dispatching(Int32(DispatchStateMachine.walkLimit) + 1).machine
        machine.ready.removeAll()
        #expect(machine.checkInvariants() == nil)
    }
}
