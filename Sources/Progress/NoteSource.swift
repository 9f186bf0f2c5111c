public import Sharding

/// Who says that the run waits, or does something unusual. Each source has one note at a time, so that none hides that
/// of another; they are shown in this order.
public enum NoteSource: Hashable, Sendable, Comparable {
    /// The run drains or is cancelled.
    case draining
    /// The ledger cannot be reached, or not written.
    case database
    /// Workers are missing, or cannot start.
    case workers
    /// Nothing has moved for some time.
    case stall
    /// Locks of others are in the way.
    case locks
    /// Why a worker that is there cannot begin.
    case beginning(WorkerID)
    /// What one worker waits for, where it is more than its own line says.
    case worker(WorkerID)
}
