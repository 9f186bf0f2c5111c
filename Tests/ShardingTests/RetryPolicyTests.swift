import Sharding
import Testing

@Suite struct RetryPolicyTests {
    static let policy = RetryPolicy(attempts: 5, backoff: .seconds(1), maxBackoff: .seconds(30))

    @Test(arguments: [
        // failures, ceiling in seconds
        (-1, 1), (0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (7, 30), (1000, 30), (Int.max, 30),
    ])
    func delayDoublesUpToItsCapAndJittersOverItsUpperHalf(failures: Int, ceiling: Int) {
        var generator = SeededGenerator(seed: 1)
        let delays = (0..<200).map { _ in Self.policy.delay(failures: failures, using: &generator) }
        #expect(delays.allSatisfy { $0 >= .milliseconds(ceiling * 500) && $0 <= .seconds(ceiling) })
        // Without enough jitter, workers would collide again.
        #expect(Set(delays).count > 100)
    }

    @Test func oneSeedGivesTheSameDelays() {
        var (left, right) = (SeededGenerator(seed: 7), SeededGenerator(seed: 7))
        for failures in 1...10 {
            #expect(
                Self.policy.delay(failures: failures, using: &left)
                    == Self.policy.delay(failures: failures, using: &right))
        }
    }
}

@Suite struct IdentifierTests {
    /// The first outputs of SplitMix64 with seed 0, as in the reference implementation of S. Vigna.
    @Test func splitMixGivesTheReferenceSequence() {
        var generator = SeededGenerator(seed: 0)
        let numbers = (0..<3).map { _ in generator.next() }
        #expect(numbers == [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F])
    }

    @Test func aWorkerIDIsARandomUUIDOfVersion4() {
        var generator = SeededGenerator(seed: 3)
        let ids = (0..<100).map { _ in WorkerID.random(using: &generator).rawValue }
        #expect(Set(ids).count == 100)
        for id in ids {
            let parts = id.split(separator: "-")
            #expect(parts.map(\.count) == [8, 4, 4, 4, 12])
            #expect(parts[2].first == "4")
            #expect(parts[3].first.map { "89ab".contains($0) } == true)
            #expect(id.allSatisfy { $0 == "-" || $0.isHexDigit })
        }
    }

    @Test func epochsGrow() {
        #expect(Epoch(4).next == Epoch(5))
        #expect(Epoch(4) < Epoch(5))
        #expect(Lease(shard: ShardID(3), epoch: Epoch(2)).description == "shard 3 epoch 2")
    }
}
