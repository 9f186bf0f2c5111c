/// The order of work stripe by stripe. Mirrors `Batches.Comb` with the rule `remainder`.
struct SimulatedComb: Sendable, Equatable {
    var stripes: Int
    var batchRows: Int
    var stretchRows: Int

    func stripe(_ key: Int) -> Int { abs(key % stripes) }

    /// Mirrors `StretchWalk.keys`.
    func keys(budget: Int) -> Int {
        guard budget < batchRows else { return max(1, stretchRows) }
        let share = Double(budget) / Double(batchRows)
        return max(1, min(budget, stretchRows), Int(Double(stretchRows) * share * share))
    }
}
