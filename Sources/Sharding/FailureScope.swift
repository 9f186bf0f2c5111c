/// How far the cause of a failed attempt reaches, and so what may be tried next.
public enum FailureScope: Sendable, CaseIterable {
    /// It may pass: the shard is tried again.
    case attempt
    /// No retry of the shard can help, such as one that meets the same value in the same row.
    case shard
    /// The worker is at fault, not the shard: another worker may do better.
    case worker
    /// No shard can go on, such as when the table is another one: the run stops.
    case run
}
