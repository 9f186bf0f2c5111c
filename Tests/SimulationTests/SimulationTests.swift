import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What the environment asks for.
enum Seeds {
    static let chunks = 16
    static let count = number("SEEDS") ?? 2000
    /// Replay one seed, with its trace.
    static let single = number("SEED")

    static func chunk(_ index: Int) -> [UInt64] {
        (0..<count).filter { $0 % chunks == index }.map { UInt64($0) + 1 }
    }

    private static func number(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }
}

/// Runs one seed; when it fails, runs it again with a trace and words the failure.
func failure(of seed: UInt64) -> String? {
    guard let violation = Simulation(seed: seed).run() else { return nil }
    let replay = Simulation(seed: seed, isTracing: true)
    _ = replay.run()
    return """
        seed \(seed) breaks \(violation.invariant.rawValue): \(violation.message)
        \(replay.audit.trace.suffix(40).joined(separator: "\n"))
        make replay SEED=\(seed)
        """
}

@Suite struct SimulationTests {
    @Test(.enabled(if: Seeds.single == nil), arguments: 0..<Seeds.chunks)
    func everyInvariantHoldsUnderEverySeed(chunk: Int) {
        for seed in Seeds.chunk(chunk) {
            if let failure = failure(of: seed) { Issue.record("\(failure)") }
        }
    }

    @Test(.enabled(if: Seeds.single != nil)) func replay() throws {
        let seed = UInt64(try #require(Seeds.single))
        let simulation = Simulation(seed: seed, isTracing: true)
        let violation = simulation.run()
        for line in simulation.audit.trace { print(line) }
        #expect(violation == nil)
    }
}
