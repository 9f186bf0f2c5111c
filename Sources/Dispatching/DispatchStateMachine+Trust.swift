import DequeModule
import OrderedCollections
public import Sharding

// What a worker's word is worth. It may be that of a liar, or of one that is at fault itself.
extension DispatchStateMachine {
    /// How long the ledger may have no new batch of a lease whose worker was not spawned and says that it advances: a worker's
    /// own limit for its waits is shorter.
    var unprovenAfter: Duration { configuration.stallAfter + Self.waitLimit }
    /// How long a worker may wait for the database or for a lock.
    static let waitLimit = Duration.seconds(600)
    /// Between two looks of the ledger at such a lease.
    static let proofInterval = Duration.seconds(60)

    /// Whether a worker that says that no shard can go on is to be believed: it has this lease, and is not the only one that
    /// says so though there are others.
    public mutating func isBelieved(_ worker: WorkerID, toStopAt lease: Lease) -> Bool {
        guard case .leased(let holding)? = shards[lease.shard]?.phase, holding.worker == worker, holding.lease == lease
        else { return false }
        if trust.isSpawned(worker) { return true }
        let voices = trust.stopped(by: worker)
        return voices.count > 1 || !hasFitParty(outside: voices)
    }

    /// Whether the worker has a lease. Others have no need of a turn.
    public func isLeasing(_ worker: WorkerID) -> Bool { workers[worker]?.shards.isEmpty == false }

    /// Whether a failed attempt of this worker may fail its shard for good. It may be the worker's own fault while another
    /// could be asked.
    mutating func mayFail(_ shard: ShardID, by worker: WorkerID) -> Bool {
        if trust.isSpawned(worker) { return true }
        trust.blamed(shard, by: worker)
        let blamers = trust.blamers(of: shard)
        return blamers.count > 1 || !hasFitParty(outside: blamers)
    }

    /// Takes the oldest shard that the worker may have, for a lease.
    mutating func popReady(for worker: WorkerID, now: Duration) -> ShardID? {
        guard !ready.isEmpty, trust.mayTakeLease(worker, now: now) else { return nil }
        let party = trust.party(of: worker)
        // One that it has failed at is for the others, while there are any that have not.
        let place = ready.firstIndex {
            let blamers = trust.blamers(of: $0)
            return !blamers.contains(party) || !hasFitParty(outside: blamers)
        }
        guard let place else { return nil }
        trust.leaseTaken(worker)
        return ready.remove(at: place)
    }

    /// The ledger has told a shard's state. A worker that has said otherwise is at fault: it gets nothing for a while, and
    /// after some such words no more.
    mutating func judge(_ record: ShardRecord, now: Duration) {
        guard let (worker, isTrue) = trust.judged(record), !trust.isSpawned(worker), var entry = workers[worker] else {
            return
        }
        if isTrue {
            if record.state == .done { entry.misfits = 0 }
        } else {
            entry.misfits += 1
            entry.notBefore = now + configuration.retry.delay(failures: entry.misfits, using: &generator)
            misfit = "it says of a shard that it is done or lost, and the ledger says that it is not"
        }
        workers[worker] = entry
    }

    /// Looks after a lease of a worker that was not spawned: only the ledger's word proves that it advances.
    mutating func prove(_ holding: Holding, now: Duration) -> [DispatchAction] {
        guard !trust.isSpawned(holding.worker), !isPaced else { return [] }
        if now - holding.provenAt > unprovenAfter {
            let error = "the ledger has no new batch for \(unprovenAfter), whatever its worker says"
            return [.tell(holding.worker, .revoke(holding.lease))]
                + end(holding, with: AttemptEnd(.stalled, error: error))
        }
        guard now - max(holding.provenAt, holding.askedAt) > Self.proofInterval else { return [] }
        var holding = holding
        holding.askedAt = now
        shards[holding.lease.shard]?.phase = .leased(holding)
        return [.ledger(.confirm(holding.lease.shard))]
    }

    /// Whether a worker could be asked that belongs to none of these parties.
    private func hasFitParty(outside parties: Set<WorkerTrust.Party>) -> Bool {
        workers.contains { !$0.value.draining && !$0.value.isSetAside && !parties.contains(trust.party(of: $0.key)) }
    }
}
