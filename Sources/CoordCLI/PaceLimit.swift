import ArgumentParser
import Ledger

/// A number, from 1, or `off`.
struct PaceLimit: ExpressibleByArgument {
    static let mostWorkers: Int64 = 100_000

    var number: Int64?

    init?(argument: String) {
        if argument == "off" { return }
        // Digit groups as they are printed.
        let digits = argument.filter { $0 != "," && $0 != "_" }
        guard let number = Int64(digits), (1...1_000_000_000_000).contains(number) else { return nil }
        self.number = number
    }

    var limit: PaceChange.Limit { number.map { .most($0) } ?? .lifted }
}
