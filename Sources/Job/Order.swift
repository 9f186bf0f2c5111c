/// The order of work within a shard, as a job file names it.
public enum Order: String, Sendable, Equatable {
    /// Stretch by stretch, and each stretch stripe by stripe, so that most new row versions find room on their page.
    case comb
    /// In the key's order.
    case key
}
