/// The order of work within a shard, where the job says it.
public enum Order: String, Sendable, Equatable {
    /// Stripe by stripe of a stretch, so that most new row versions find room on their page.
    case comb
    /// By the key.
    case key
}
