package import Sharding

/// What a coordinator tells a worker, one message a frame. docs/protocol.md says what each asks for.
package enum CoordinatorMessage: Equatable, Sendable {
    case welcome(Welcome)
    case refused(Refusal)
    /// Advance this shard. `batchRows` is the number of rows that a batch may have, when a timeout has made batches smaller
    /// than the job says; 0 otherwise.
    case assign(Lease, batchRows: Int)
    /// The lease is over.
    case revoke(Lease)
    /// Finish the batch in hand, release the lease, leave.
    case drain
    /// The coordinator does not know this worker: it must say HELLO again.
    case rejoin
    /// The answer to a heartbeat.
    case alive
}
