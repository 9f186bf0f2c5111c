public import Sharding

/// A request to the ledger. Requests are carried out one after another, in the order of the machine's actions.
public enum LedgerRequest: Equatable, Sendable {
    /// Raise the shard's epoch by one and make `worker` its owner, if its epoch still is `after`. Answer with
    /// `leaseRecorded`, or with `leaseRefused` if the ledger has another epoch or state.
    case recordLease(ShardID, worker: WorkerID, after: Epoch)
    /// Close the attempt and let the ledger decide whether the shard may be tried again: it fails after `attempts`
    /// failures in a row. 0 for an end that is no failure. Answer with `attemptRecorded`, or with `shardRead` if the
    /// shard has another lease by now.
    case recordAttempt(Lease, worker: WorkerID, AttemptEnd, attempts: Int)
    /// Read the shard's row and answer with `shardRead`.
    case confirm(ShardID)
    /// Read all shards and answer with `shardsLoaded`.
    case reload
    /// Let the ledger decide whether the run is complete. Answer with `runConcluded`.
    case conclude
}
