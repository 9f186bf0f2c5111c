import Sharding

// Shards, leases and attempts.
extension CoordinatorLedger {
    /// The longest error text in the ledger, in characters.
    package static let errorLimit = 2000

    /// Raises the epoch and makes `worker` the owner, if the epoch still is `after` and the coordinator's term stands.
    /// Otherwise nil, and also nil once a cancel was requested.
    ///
    /// The run's row is locked in share mode, so that no coordinator can take over between the check and the commit.
    package func lease(_ shard: ShardID, to worker: WorkerID, after epoch: Epoch, _ ownership: Ownership) throws
        -> (lease: Lease, sequence: Int64)?
    {
        try session.first(GiveLease(ownership: ownership, shard: shard, worker: worker, epoch: epoch))
    }

    /// Ends the server session of the shard's last worker: a stuck statement of that session may hold the row's lock.
    package func terminateHolder(of shard: ShardID, run: RunID) throws {
        try session.run(TerminateHolder(run: run, shard: shard))
    }

    /// Closes an attempt that has not finished its shard, and decides whether the shard may be tried again.
    ///
    /// Failures count only while no batch is committed between them: a long shard whose workers die now and then
    /// still advances.
    /// - Parameter attempts: failures in a row after which the shard has failed; 0 for an end that is no failure.
    /// - Returns: nil if the shard has another lease by now.
    package func recordAttempt(
        _ lease: Lease, worker: WorkerID, outcome: String, error: String?, permanent: Bool, attempts: Int,
        _ ownership: Ownership
    ) throws -> (state: ShardState, failures: Int)? {
        let recorded = try session.writingTexts { writable in
            try session.first(
                RecordAttempt(
                    ownership: ownership, lease: lease, worker: worker, outcome: outcome,
                    error: error.map { String(writable($0).prefix(Self.errorLimit)) }, isPermanent: permanent,
                    attempts: attempts))
        }
        return recorded.map { ($0.state, attempts == 0 ? 0 : $0.failures) }
    }

    // MARK: - Whether the ledger still holds the whole run (I4), since people can edit its rows

    /// Reads all shards of the run and checks that they tile its key space.
    /// - Throws: `LedgerError` with code `damaged`.
    package func load(_ run: RunID) throws -> [ShardRecord] {
        try checkTiling(of: run)
        return try LedgerReader(session).shards(of: run).map(\.record)
    }

    /// Reads the shard's row.
    /// - Throws: `LedgerError` with code `damaged` when the row or its run is gone.
    package func require(_ shard: ShardID, of run: RunID) throws -> ShardRecord {
        if let record = try LedgerReader(session).shard(shard, of: run) { return record }
        try checkTiling(of: run)
        throw LedgerError.damaged(
            run, "expected its shard \(shard), and found no row of it in \(session.ledger).shard")
    }

    /// Checks that the shards in the ledger tile the run's key space, from below every key to the run's end key.
    /// - Returns: the number of shards.
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
