import Sharding
import Testing

/// A sample of number keys, sorted as PostgreSQL would.
struct Sample: Sendable, CustomTestStringConvertible {
    let name: String
    let numbers: [Int]

    var testDescription: String { name }
    var keys: [Key] { numbers.map { Key(String($0)) } }
}

@Suite struct ShardPlanTests {
    static let samples = [
        Sample(name: "empty", numbers: []),
        Sample(name: "one row", numbers: [7]),
        Sample(name: "two rows", numbers: [7, 8]),
        Sample(name: "one key, repeated", numbers: Array(repeating: 7, count: 500)),
        Sample(name: "dense", numbers: Array(1...1000)),
        Sample(name: "skewed", numbers: Array(1...1000) + (0..<1000).map { 1_000_000_000_000 + $0 * 977 }),
        Sample(name: "half of it one key", numbers: Array(repeating: 1, count: 500) + Array(2...501)),
        Sample(name: "the upper half one key", numbers: Array(1...500) + Array(repeating: 501, count: 500)),
        Sample(name: "gaps", numbers: (1...300).map { $0 * $0 * $0 }),
        Sample(name: "negative", numbers: Array(-500 ... -1)),
    ]
    static let counts = [-1, 0, 1, 2, 3, 7, 40, 1000, 5000]

    @Test(arguments: samples, counts) func rangesTileTheKeySpaceForAnySample(sample: Sample, count: Int) throws {
        let plan = ShardPlan.quantiles(of: sample.keys, count: count, rows: 1_000_000)
        try KeyRange.checkTiling(plan.parts.map(\.range))
        #expect(plan.parts.count <= max(count, 1))
        // Boundaries rise, so no range is empty by construction.
        let boundaries = plan.parts.compactMap { $0.range.through.flatMap { Int($0.description) } }
        #expect(boundaries == boundaries.sorted())
        #expect(Set(boundaries).count == boundaries.count)
        #expect(plan.parts.allSatisfy { $0.rowsEstimated >= 0 })
        // Each part's share of the rows is rounded separately.
        #expect(abs(plan.rowsEstimated - 1_000_000) <= Int64(plan.parts.count))
    }

    @Test(arguments: ["dense", "skewed", "gaps", "negative"], [2, 3, 7, 40])
    func everyRangeHoldsAboutAsManyRows(name: String, count: Int) throws {
        let sample = try #require(Self.samples.first { $0.name == name })
        let plan = ShardPlan.quantiles(of: sample.keys, count: count, rows: Int64(sample.numbers.count))
        #expect(plan.parts.count == count)
        let even = sample.numbers.count / count
        for part in plan.parts {
            let after = part.range.after.flatMap { Int($0.description) } ?? .min
            let through = part.range.through.flatMap { Int($0.description) } ?? .max
            let rows = sample.numbers.count { $0 > after && $0 <= through }
            #expect((even...even + 1).contains(rows), "\(part.range) holds \(rows) of \(sample.numbers.count)")
            #expect(part.rowsEstimated == Int64(rows))
        }
    }

    @Test func moreShardsThanRowsGiveOneRangeARow() {
        let plan = ShardPlan.quantiles(of: [1, 2, 3].map { Key(String($0)) }, count: 10, rows: 3)
        #expect(plan.parts.map(\.range) == [range(nil, 1), range(1, 2), range(2, nil)])
    }

    @Test func aKeyThatFillsASampleIsNotCut() {
        let plan = ShardPlan.quantiles(of: Array(repeating: Key("7"), count: 100), count: 8, rows: 100)
        #expect(plan.parts == [ShardPlan.Part(range: .everything, rowsEstimated: 100)])
    }

    @Test func anEmptyTableIsOneRange() {
        #expect(
            ShardPlan.quantiles(of: [], count: 8, rows: 0).parts == [.init(range: .everything, rowsEstimated: 0)])
    }

    @Test func theNumberOfShardsHasALimit() {
        let sample = (0..<ShardPlan.shardLimit + 50).map { Key(String($0)) }
        let plan = ShardPlan.quantiles(of: sample, count: .max, rows: Int64(sample.count))
        #expect(plan.parts.count == ShardPlan.shardLimit)
    }

    @Test(arguments: [
        // workers, rows, batchRows, shards
        (4, 10_000_000, 1000, 32),
        (1, 10_000_000, 1000, 8),
        (0, 10_000_000, 1000, 8),
        (4, 0, 1000, 1),
        (4, 1, 1000, 1),
        (4, 20_000, 1000, 10),
        (100_000, 1_000_000_000_000, 1, ShardPlan.shardLimit),
    ])
    func automaticCountFollowsWorkersUnlessRowsAreFew(workers: Int, rows: Int64, batchRows: Int, shards: Int) {
        #expect(ShardPlan.automaticCount(workers: workers, rows: rows, batchRows: batchRows) == shards)
    }
}
