import Testing

@testable import Batches

@Suite struct CombFittingTests {
    private static let comb = Comb(stripes: 13, rule: .remainder, batchRows: 100, stretchRows: 5200)

    /// Rows of a shard, and the stretches that fill it.
    @Test(arguments: [
        (1_000, 1), (5_200, 1), (6_000, 1), (7_799, 1), (7_801, 2), (10_400, 2), (13_500, 3), (100_000, 19),
    ])
    func wholeStretchesFillAShard(rows: Int64, stretches: Int64) {
        let fitted = Self.comb.fitted(shards: 8, rows: 8 * rows)
        let length = Int64(fitted.stretchRows)
        // The last one is the shortest, by a few rows for each of the others.
        #expect((rows + length - 1) / length == stretches)
        #expect(length * stretches - rows <= rows / 40 + stretches)
        #expect(fitted.stripes == 13 && fitted.batchRows == 100 && fitted.rule == .remainder)
    }

    @Test func aWorkerNeverHoldsMoreThanItsLimit() {
        var long = Self.comb
        long.stretchRows = 90_000
        #expect(long.fitted(shards: 1, rows: 130_000).stretchRows == Comb.stretchLimit)
    }

    @Test func withoutRowsOrShardsNothingIsFitted() {
        #expect(Self.comb.fitted(shards: 0, rows: 100) == Self.comb)
        #expect(Self.comb.fitted(shards: 3, rows: 0) == Self.comb)
    }
}
