public import Sharding

/// What the shell must do. It does them in order; the ones that touch the ledger, one after another on one connection.
public enum DispatchAction: Equatable, Sendable {
    /// Raise the shard's epoch by one in the ledger and make `worker` its owner, where its epoch still is `after`.
    /// Answer with `leaseRecorded`, or with `leaseRefused` where the ledger has another epoch or state.
    case recordLease(ShardID, worker: WorkerID, after: Epoch)
    /// Send the lease to the worker, with the rows that a batch may have by now. Repeating it is harmless.
    case assign(WorkerID, Lease)
    /// Tell the worker that the lease is no longer its own.
    case revoke(WorkerID, Lease)
    /// Tell a worker that is not known to say HELLO again.
    case rejoin(WorkerID)
    /// Close the attempt in the ledger and let it decide whether the shard may be tried again.
    /// Answer with `attemptRecorded`, or with `shardRead` where the lease is not the shard's any more.
    case recordAttempt(Lease, worker: WorkerID, AttemptEnd)
    /// Read the shard's row and answer with `shardRead`.
    case confirm(ShardID)
    /// Read all shards and answer with `shardsLoaded`.
    case reload
    /// Tell the worker to finish its batch, release its leases and leave.
    case drain(WorkerID)
    /// The worker is taken for dead: forget its address; a local process is killed and replaced.
    case dismiss(WorkerID)
    /// Let the ledger decide whether the run is complete. Answer with `runConcluded`.
    case conclude
    /// The machine's work is over.
    case finish(DispatchOutcome)
}

/// How an attempt ended short of the end of its shard.
public struct AttemptEnd: Equatable, Sendable {
    public enum Outcome: String, Sendable, CaseIterable {
        /// The worker reported an error.
        case failed
        /// The worker was silent for longer than its lease.
        case expired
        /// The worker's batches stopped advancing, though it was heard.
        case stalled
        /// The worker gave the lease back, or left before it began.
        case released
        /// The worker cannot do this job, or not now: its program ended before it had answered a row. That says nothing of
        /// the shard.
        case unfit

        /// Whether the shard has one attempt less by it.
        public var countsAgainstShard: Bool { self != .released && self != .unfit }
    }

    public var outcome: Outcome
    public var error: String?
    /// No retry can help.
    public var permanent: Bool

    public init(_ outcome: Outcome, error: String? = nil, permanent: Bool = false) {
        self.outcome = outcome
        self.error = error
        self.permanent = permanent
    }
}

/// How the machine's work ended.
public enum DispatchOutcome: Equatable, Sendable {
    /// The ledger says that every shard is done, or that the rest has failed for good.
    case concluded(done: Int, failed: Int)
    /// Drained on request: leases are released, the run can be resumed.
    case drained
    /// Drained since the run was cancelled.
    case cancelled
    /// Drained since no shard can go on; the run can be resumed once the reason is gone.
    case stopped(reason: String)
}
