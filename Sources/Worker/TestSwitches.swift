#if DEBUG
    import Glibc
    import Ledger

    /// Takes a safety mechanism away from this worker, so that a test can prove that it is needed. Debug builds only.
    enum TestSwitches {
        /// `COORD_TEST_WITHOUT=fence,compare` in the environment.
        static var mechanisms: Mechanisms {
            guard let text = getenv("COORD_TEST_WITHOUT").map({ String(cString: $0) }) else { return .all }
            let names: [Substring: Mechanisms] = [
                "fence": .fence, "checkpoint": .checkpoint, "compare": .compare,
            ]
            return text.split(separator: ",").reduce(into: .all) { $0.subtract(names[$1] ?? []) }
        }
    }
#endif
