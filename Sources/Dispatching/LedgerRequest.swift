public import Sharding

/// What the machine asks of the ledger. The requests are carried out one after another, in the order in which they were
/// given.
public enum LedgerRequest: Equatable, Sendable {
    /// Raise the shard's epoch by one and make `worker` its owner, where its epoch still is `after`.
    /// Answer with `leaseRecorded`, or with `leaseRefused` where the ledger has another epoch or state.
    case recordLease(ShardID, worker: WorkerID, after: Epoch)
    /// Close the attempt and let the ledger decide whether the shard may be tried again: it has failed after `attempts`
    /// failures in a row. 0 where this end is none.
    /// Answer with `attemptRecorded`, or with `shardRead` where the lease is not the shard's any more.
    case recordAttempt(Lease, worker: WorkerID, AttemptEnd, attempts: Int)
    /// Read the shard's row and answer with `shardRead`.
    case confirm(ShardID)
    /// Read all shards and answer with `shardsLoaded`.
    case reload
    /// Let the ledger decide whether the run is complete. Answer with `runConcluded`.
    case conclude
}
