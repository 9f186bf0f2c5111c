package import Sharding

/// A message from a coordinator to a worker, one in each frame. docs/protocol.md says what each one asks for.
package enum CoordinatorMessage: Equatable, Sendable {
    case welcome(Welcome)
    case refused(Refusal)
    /// Advance this shard. `batchRows` is the row limit of a batch after a timeout has lowered it; 0 while the job's
    /// own limit holds.
    case assign(Lease, batchRows: Int)
    /// The lease is over.
    case revoke(Lease)
    /// Finish the batch in hand, release the lease, leave.
    case drain
    /// The coordinator does not know this worker: it must say HELLO again.
    case rejoin
    /// The answer to a heartbeat. It says whether workers write in turns from now on.
    case alive(TurnTaking)
    /// The worker's turn to write: batches that begin within this time may be written. `rows` is the number of rows after
    /// which no further batch may begin; nil for no limit.
    case turn(slice: Duration, rows: Int? = nil)
}
