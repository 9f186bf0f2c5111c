/// The order of work stripe by stripe, as `Batches.Comb` by the remainder.
struct SimulatedComb: Sendable, Equatable {
    var stripes: Int
    var batchRows: Int
    var stretchRows: Int

    func stripe(_ key: Int) -> Int { abs(key % stripes) }

    /// As `StretchWalk.keys`.
    func keys(limit: Int) -> Int {
        guard limit > 1 || batchRows <= 1 else { return 1 }
        guard limit < batchRows else { return max(1, stretchRows) }
        return max(limit, stretchRows / batchRows * limit)
    }
}
