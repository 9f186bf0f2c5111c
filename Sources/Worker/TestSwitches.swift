import Batches

#if DEBUG
    import Glibc
    import Ledger

    /// Takes a safety mechanism away from this worker, so that a test can prove that it is needed. Debug builds only.
    enum TestSwitches {
        /// `COORD_TEST_WITHOUT=checkpoint,compare` in the environment.
        static var mechanisms: Mechanisms {
            guard let text = getenv("COORD_TEST_WITHOUT").map({ String(cString: $0) }) else { return .all }
            let names: [Substring: Mechanisms] = [
                "checkpoint": .checkpoint, "compare": .compare, "binding": .binding,
                "stretch": .stretch,
            ]
            return text.split(separator: ",").reduce(into: .all) { $0.subtract(names[$1] ?? []) }
        }

        /// `COORD_TEST_FUNCTIONS=1`: by the ledger's functions, whatever the role may do.
        static var callsFunctions: Bool { getenv("COORD_TEST_FUNCTIONS") != nil }

        /// `COORD_TEST_STATEMENT_TIMEOUT=500`: milliseconds in place of the usual limit of a statement.
        static var statementTimeout: Int64? {
            getenv("COORD_TEST_STATEMENT_TIMEOUT").flatMap { Int64(String(cString: $0)) }
        }
    }
#endif
