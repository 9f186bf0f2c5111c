/// Why a worker's step failed, by what follows from it.
public enum FailureKind: String, Sendable, CaseIterable {
    /// The shard has another epoch or owner.
    case leaseLost
    /// The fence refused a batch: what the shard's row says by now is to be read.
    case fenced
    /// A deadlock and the like: the same batch may work a moment later.
    case retryable
    /// Somebody holds a row, or the table, for longer than the job is patient: it is waited for without holding
    /// anything.
    case held
    /// The batch took too long and is smaller by now.
    case tooLong
    /// The connection broke; whether a commit went through is read from the ledger.
    case connectionLost
    /// The compute program failed; a new one may do better.
    case program
    /// The compute program has never answered a row on this worker: another worker may do better.
    case unfit
    /// No retry can help.
    case permanent
    /// No shard of the run can go on, such as when the table is another one.
    case stopsRun

    /// What the coordinator must know of it once the attempt has ended.
    public var scope: FailureScope {
        switch self {
        case .permanent: .shard
        case .unfit: .worker
        case .stopsRun: .run
        case .leaseLost, .fenced, .retryable, .held, .tooLong, .connectionLost, .program: .attempt
        }
    }
}
