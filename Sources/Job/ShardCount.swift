/// The number of key ranges that a table is cut into.
public enum ShardCount: Sendable, Equatable {
    /// The planner chooses by the table's size and the number of workers. The default.
    case auto
    /// This many, 1 to 100,000. A small table may give fewer.
    case count(Int)

    /// The allowed ``count(_:)``.
    public static let range = 1...100_000
}
