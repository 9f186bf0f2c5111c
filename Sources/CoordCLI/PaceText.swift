import Sharding

/// The limits of a run's pace, for people and for programs.
enum PaceText {
    /// Such as "pace: at most 20,000 rows/s, 4 workers writing, until 2026-12-01T14:00:00Z, as anna on db1 asked".
    static func of(_ pace: Pace) -> String {
        let asked = pace.by.isEmpty ? nil : "as \(ConditionText.oneLine(pace.by)) asked"
        return "pace: \(([limits(pace)] + [until(pace), asked].compactMap { $0 }).joined(separator: ", "))"
    }

    private static func limits(_ pace: Pace) -> String {
        let rows = pace.rowsPerSecond.map { "\(NumberFormat.grouped($0)) rows/s" }
        let writers = pace.writers.map {
            "\(NumberFormat.grouped(Int64($0))) \($0 == 1 ? "worker" : "workers") writing"
        }
        return "at most " + [rows, writers].compactMap { $0 }.joined(separator: ", ")
    }

    private static func until(_ pace: Pace) -> String? {
        pace.until.flatMap { UTCTime.text(seconds: $0) }.map { "until \($0)" }
    }

    /// - Parameter pace: nil where nothing is limited.
    static func members(_ pace: Pace?) -> [String: JSONValue] {
        [
            "writers": .optional(pace?.writers.map { .number(Int64($0)) }),
            "rows_per_second": .optional(pace?.rowsPerSecond.map { .number($0) }),
            "until": .optional(pace?.until.flatMap { UTCTime.text(seconds: $0) }.map { .string($0) }),
            "asked_by": .optional((pace?.by).map { .string($0) }),
        ]
    }
}
