import Sharding

// The shards, and who may advance them.
extension CoordinatorLedger {
    /// Limit of an error text in the ledger, in characters.
    package static let errorLimit = 2000

    /// Raises the epoch and makes `worker` the owner, where the epoch still is `after` and the coordinator's term
    /// stands. Nil where not, nor once the run is to be cancelled.
    ///
    /// The run's row is locked in share mode, so that no coordinator can take over between the check and the commit.
    package func lease(_ shard: ShardID, to worker: WorkerID, after epoch: Epoch, _ ownership: Ownership) throws
        -> (lease: Lease, sequence: Int64)?
    {
        try session.first(GiveLease(ownership: ownership, shard: shard, worker: worker, epoch: epoch))
    }

    /// Ends the server session of the shard's last worker: it may hold the row's lock in a statement that is stuck.
    package func terminateHolder(of shard: ShardID, run: RunID) throws {
        try session.run(TerminateHolder(run: run, shard: shard))
    }

    /// Closes an attempt that did not finish its shard, and decides whether the shard may be tried again.
    ///
    /// Failures count only while no batch is committed between them: a long shard whose workers die now and then
    /// still advances.
    /// - Parameter attempts: failures in a row after which the shard has failed; 0 when this end is not a failure.
    /// - Returns: nil where the lease is not the shard's any more.
    package func recordAttempt(
        _ lease: Lease, worker: WorkerID, outcome: String, error: String?, permanent: Bool, attempts: Int,
        _ ownership: Ownership
    ) throws -> (state: ShardState, failures: Int)? {
        let recorded = try session.first(
            RecordAttempt(
                ownership: ownership, lease: lease, worker: worker, outcome: outcome,
                error: error.map { String($0.prefix(Self.errorLimit)) }, isPermanent: permanent, attempts: attempts))
        return recorded.map { ($0.state, attempts == 0 ? 0 : $0.failures) }
    }

    // MARK: - Whether the ledger's rows still are a whole run (I4): people can reach them

    /// All shards of the run, which tile its key space.
    /// - Throws: `LedgerError` with code `damaged`.
    package func load(_ run: RunID) throws -> [ShardRecord] {
        try checkTiling(of: run)
        return try LedgerReader(session).shards(of: run).map(\.record)
    }

    /// The shard's row.
    /// - Throws: `LedgerError` with code `damaged` when it is gone, or its run is.
    package func require(_ shard: ShardID, of run: RunID) throws -> ShardRecord {
        if let record = try LedgerReader(session).shard(shard, of: run) { return record }
        try checkTiling(of: run)
        throw LedgerError.damaged(
            run, "expected its shard \(shard), and found no row of it in \(session.ledger).shard")
    }

    /// Checks that the shards in the ledger tile the run's key space, from below every key to the run's end key.
    /// - Returns: how many there are.
    /// - Throws: `LedgerError` with code `damaged`.
    @discardableResult
    func checkTiling(of run: RunID) throws -> Int {
        guard let (end, planned) = try session.first(ReadKeySpace(run: run)) else { throw LedgerError.gone(run) }
        let pieces = try session.rows(ReadPieces(run: run))
        if let fault = ShardTiling.fault(in: pieces, end: end, planned: planned) {
            throw LedgerError.damaged(run, fault)
        }
        return pieces.count
    }
}
