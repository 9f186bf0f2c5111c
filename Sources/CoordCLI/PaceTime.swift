import ArgumentParser
import Ledger

/// A time such as `90`, `30s`, `15m`, `1h` or `2d`, or `off`.
struct PaceTime: ExpressibleByArgument {
    /// A year.
    static let longest: Int64 = 366 * 86_400

    var seconds: Int64?

    init?(argument: String) {
        if argument == "off" { return }
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        let unit = argument.last.flatMap { units[$0] }
        guard let count = Int64(unit == nil ? argument[...] : argument.dropLast()), count > 0 else { return nil }
        let (seconds, overflow) = count.multipliedReportingOverflow(by: unit ?? 1)
        guard !overflow, seconds <= Self.longest else { return nil }
        self.seconds = seconds
    }

    var limit: PaceChange.Limit { seconds.map { .most($0) } ?? .lifted }
}
