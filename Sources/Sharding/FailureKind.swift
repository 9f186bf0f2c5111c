/// The kinds of failed steps. The kind decides how the worker and the coordinator go on.
public enum FailureKind: String, Sendable, CaseIterable {
    /// The shard has another epoch or owner.
    case leaseLost
    /// The fence refused a batch: the shard's row must be read again.
    case fenced
    /// A deadlock or the like: the same batch may work a moment later.
    case retryable
    /// Another session holds a row or the table for longer than the job's lock patience. The worker waits without
    /// holding a lock.
    case held
    /// The batch met the statement timeout. The next one is smaller.
    case tooLong
    /// The connection broke; the ledger tells whether a commit went through.
    case connectionLost
    /// The compute program failed; a fresh one may do better.
    case program
    /// The compute program has never answered a row on this worker: another worker may do better.
    case unfit
    /// No retry can help.
    case permanent
    /// No shard of the run can go on, for example because the table was replaced.
    case stopsRun

    /// The reach of the failure, for the coordinator, once the attempt has ended.
    public var scope: FailureScope {
        switch self {
        case .permanent: .shard
        case .unfit: .worker
        case .stopsRun: .run
        case .leaseLost, .fenced, .retryable, .held, .tooLong, .connectionLost, .program: .attempt
        }
    }
}
