/// The way in which a run is about to end, or to stop. A later one replaces an earlier one of a lower rank.
public enum WindDown: Equatable, Sendable {
    /// Each worker finishes its batch; the run can be resumed.
    case draining
    /// Somebody asked that the run be paused: each worker finishes its batch, and the run stays paused until it is resumed.
    case pausing(by: String)
    /// No shard can go on: each worker finishes its batch, and the run can be resumed once the reason is gone.
    case stopping(reason: String)
    /// Each worker finishes its batch, and the run ends for good.
    case cancelling
    /// The run is cancelled already. Batches that workers still have in hand cannot commit.
    case cancelled

    /// A wind-down never replaces one of a higher or equal rank.
    var rank: Int {
        switch self {
        case .draining: 0
        case .pausing: 1
        case .stopping: 2
        case .cancelling: 3
        case .cancelled: 4
        }
    }
}
