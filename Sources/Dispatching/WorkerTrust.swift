import Sharding

/// What is known of the workers that decides how far their word goes: who they are, what they have claimed, which shards
/// they blame.
///
/// A worker that the coordinator has spawned is believed. The word of any other may be a lie, or an error of its own: so a shard
/// fails, and a run stops, only when two parties say so, or when there is no other that could be asked.
struct WorkerTrust: Sendable {
    /// Those whose words count once: all workers with one key, or one worker.
    enum Party: Hashable, Sendable {
        case coordinator
        case key(String)
        case worker(WorkerID)
    }

    private struct Claim {
        var worker: WorkerID
        var lease: Lease
    }

    /// The most shards a worker that was not spawned may have at a time.
    static let creditLimit = 1

    private var origins: [WorkerID: WorkerOrigin] = [:]
    private var claims: [ShardID: Claim] = [:]
    private var blame: [ShardID: Set<Party>] = [:]
    private var stops: Set<Party> = []
    private var budgets: [Party: LeaseBudget] = [:]

    // MARK: - Who they are

    mutating func joined(_ worker: WorkerID, _ origin: WorkerOrigin) { origins[worker] = origin }

    mutating func left(_ worker: WorkerID) {
        origins[worker] = nil
        // A key's budget stays, since its workers may come and go.
        budgets[.worker(worker)] = nil
    }

    func isSpawned(_ worker: WorkerID) -> Bool { origins[worker] == .spawned }

    func party(of worker: WorkerID) -> Party {
        switch origins[worker] {
        case .spawned: .coordinator
        case .key(let key): .key(key)
        case .unknown, nil: .worker(worker)
        }
    }

    // MARK: - Leases

    /// Whether the worker's party may take one more lease now.
    mutating func mayTakeLease(_ worker: WorkerID, now: Duration) -> Bool {
        guard !isSpawned(worker) else { return true }
        budgets[party(of: worker), default: LeaseBudget(now: now)].fill(now: now)
        return budgets[party(of: worker)]?.isEmpty == false
    }

    mutating func leaseTaken(_ worker: WorkerID) { budgets[party(of: worker)]?.taken() }

    // MARK: - Claims

    /// The worker says that the shard is done, or that its lease is lost. The ledger is asked.
    mutating func claimed(_ lease: Lease, by worker: WorkerID) {
        claims[lease.shard] = Claim(worker: worker, lease: lease)
    }

    /// The ledger's word of a shard.
    /// - Returns: who has claimed something of it, and whether the ledger agrees; nil if nobody has.
    mutating func judged(_ record: ShardRecord) -> (worker: WorkerID, isTrue: Bool)? {
        guard let claim = claims.removeValue(forKey: record.id) else { return nil }
        let isStillLeased =
            record.state == .running && record.epoch == claim.lease.epoch && record.owner == claim.worker
        if record.state == .done {
            blame[record.id] = nil
            budgets[party(of: claim.worker)]?.proved()
        }
        return (claim.worker, !isStillLeased)
    }

    // MARK: - Blame

    /// The worker's attempt at the shard has failed.
    mutating func blamed(_ shard: ShardID, by worker: WorkerID) { blame[shard, default: []].insert(party(of: worker)) }

    /// The parties whose attempts at the shard have failed.
    func blamers(of shard: ShardID) -> Set<Party> { blame[shard] ?? [] }

    /// The worker says that no shard can go on.
    /// - Returns: the parties that have said so.
    mutating func stopped(by worker: WorkerID) -> Set<Party> {
        stops.insert(party(of: worker))
        return stops
    }
}
