import Testing

@testable import SimulatedLedger

/// The seeds that a test runs, and the text of a failure.
enum Seeds {
    /// The number of parallel parts of the main test.
    static let chunks = 16
    static let count = Environment.number("SEEDS") ?? 2000
    /// The number of seeds over which every happening occurs.
    static let enough = 1500
    /// A seed to replay with its trace; nil for the usual tests.
    static let single = Environment.number("SEED")
    /// The lines of the trace that a failure shows.
    static let traceLines = 40

    static func chunk(_ index: Int) -> [UInt64] {
        (0..<count).filter { $0 % chunks == index }.map { UInt64($0) + 1 }
    }

    /// Runs one seed.
    static func failure(of seed: UInt64, adjust: (inout Scenario) -> Void = { _ in }) -> String? {
        Simulation(seed: seed, adjust: adjust).run().map { failure(of: seed, $0, adjust: adjust) }
    }

    /// Runs a failed seed again with a trace, and returns the text of the failure.
    static func failure(
        of seed: UInt64, _ violation: Violation, adjust: (inout Scenario) -> Void = { _ in }
    ) -> String {
        let replay = Simulation(seed: seed, isTracing: true, adjust: adjust)
        _ = replay.run()
        return """
            seed \(seed) breaks \(violation.invariant.rawValue): \(violation.message)
            \(replay.audit.trace.suffix(traceLines).joined(separator: "\n"))
            make replay SEED=\(seed)
            """
    }
}

@Suite struct SimulationTests {
    /// Every fault and every reaction must also occur, since a simulation proves little about what never happens in it.
    @Test(.enabled(if: Seeds.single == nil)) func everyInvariantHoldsUnderEverySeed() async {
        let total = await withTaskGroup(of: Tally.self) { group in
            for index in 0..<Seeds.chunks {
                group.addTask {
                    var tally = Tally()
                    for seed in Seeds.chunk(index) {
                        let simulation = Simulation(seed: seed)
                        if let violation = simulation.run() {
                            Issue.record("\(Seeds.failure(of: seed, violation))")
                        }
                        tally.add(simulation.audit.counts)
                        // Other tests share the same threads.
                        await Task.yield()
                    }
                    return tally
                }
            }
            return await group.reduce(into: Tally()) { $0.add($1.counts) }
        }
        guard Seeds.count >= Seeds.enough else { return }
        for happening in Happening.allCases {
            #expect(total[happening] > 0, "\(happening.rawValue) never happened in \(Seeds.count) seeds")
        }
    }

    @Test(.enabled(if: Seeds.single != nil)) func replay() throws {
        let seed = UInt64(try #require(Seeds.single))
        let simulation = Simulation(seed: seed, isTracing: true)
        let violation = simulation.run()
        for line in simulation.audit.trace { print(line) }
        #expect(violation == nil)
    }

    /// Each seed once found a bug. The comment before it describes the bug.
    @Test(
        .enabled(if: Seeds.single == nil),
        arguments: [
            // A worker that was dismissed and joined again while its lease was being recorded got a lease that
            // nobody counted: above its credit, and lost for good when the assignment did not arrive.
            271, 702, 858, 998, 3978,
            // With a slow ledger and many dead workers, a run was given back only after each worker was noted as gone.
            62098,
        ] as [UInt64])
    func seedsThatFoundABugStillPass(seed: UInt64) {
        // In key order the seeds run as when they found the bug. The other pass is today's scenario of the seed.
        for isInKeyOrder in [true, false] {
            let failure = Seeds.failure(of: seed) {
                if isInKeyOrder { ($0.comb, $0.hold, $0.misfits) = (nil, nil, 0) }
            }
            if let failure { Issue.record("\(failure)") }
        }
    }

    @Test(.enabled(if: Seeds.single == nil), arguments: [3, 14, 159, 265] as [UInt64])
    func oneSeedAlwaysMakesTheSameTrace(seed: UInt64) {
        let runs = (0..<2).map { _ in Simulation(seed: seed, isTracing: true) }
        for run in runs { _ = run.run() }
        #expect(runs[0].audit.trace.count > 100)
        #expect(runs[0].audit.trace == runs[1].audit.trace)
        #expect(runs[0].audit.counts == runs[1].audit.counts)
    }
}

/// The count of each happening over many seeds.
struct Tally {
    private(set) var counts = [Int](repeating: 0, count: Happening.allCases.count)

    mutating func add(_ others: [Int]) {
        for (index, count) in others.enumerated() { counts[index] += count }
    }

    subscript(happening: Happening) -> Int {
        Happening.allCases.firstIndex(of: happening).map { counts[$0] } ?? 0
    }
}
