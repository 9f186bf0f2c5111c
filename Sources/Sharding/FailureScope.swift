/// How far the cause of a failed attempt reaches. It decides which retry makes sense.
public enum FailureScope: Sendable, CaseIterable {
    /// The cause may pass: the shard is tried again.
    case attempt
    /// No retry of this shard can help, for example because the same row has the same value again.
    case shard
    /// The worker is at fault, not the shard: another worker may do better.
    case worker
    /// No shard of the run can go on, for example because the table was replaced: the run stops.
    case run
}
