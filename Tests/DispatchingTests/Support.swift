import Sharding
import Testing

@testable import Dispatching

let alice = WorkerID("alice")
let bob = WorkerID("bob")

func shard(_ number: Int32) -> ShardID { ShardID(number) }

func lease(_ shard: Int32, _ epoch: Int64 = 1) -> Lease { Lease(shard: ShardID(shard), epoch: Epoch(epoch)) }

func record(
    _ shard: Int32, _ state: ShardState = .pending, epoch: Int64 = 0, owner: WorkerID? = nil, sequence: Int64 = 0
) -> ShardRecord {
    ShardRecord(id: ShardID(shard), state: state, epoch: Epoch(epoch), owner: owner, sequence: sequence)
}

func held(_ lease: Lease, sequence: Int64 = 0) -> HeldLease { HeldLease(lease: lease, sequence: sequence, rowsDone: 0) }

/// A machine for tests, whose invariants must hold after each event. Its limits are the shell's defaults, except for
/// some shorter ones.
struct Bench {
    static let configuration = DispatchStateMachine.Configuration(
        leaseDuration: .seconds(10), stallAfter: .seconds(60), assignGrace: .seconds(3),
        retry: RetryPolicy(attempts: 3, backoff: .seconds(1), maxBackoff: .seconds(8)))

    var machine = DispatchStateMachine(configuration: Self.configuration, seed: 1) {
        didSet {
            if let broken = machine.checkInvariants() { Issue.record("\(broken)") }
        }
    }

    /// Makes a machine with `shards` pending shards, lets `workers` join, and records the leases that follow.
    static func dispatching(_ shards: Int32, _ workers: [WorkerID] = []) -> Bench {
        var bench = Bench()
        _ = bench.machine.shardsLoaded((0..<shards).map { record($0) }, now: .zero)
        for worker in workers { bench.join(worker) }
        return bench
    }

    /// Joins a worker and records every lease that it is granted.
    mutating func join(
        _ worker: WorkerID, credit: Int = 1, origin: WorkerOrigin = .spawned, now: Duration = .zero
    ) {
        grant(machine.workerJoined(worker, credit: credit, origin: origin, now: now), now: now)
    }

    /// Answers each `recordLease` among `actions` as the ledger would.
    mutating func grant(_ actions: [DispatchAction], now: Duration = .zero) {
        for case .ledger(.recordLease(let shard, let worker, let epoch)) in actions {
            _ = machine.leaseRecorded(
                Lease(shard: shard, epoch: epoch.next), worker: worker, sequence: 0, now: now)
        }
    }

    func phase(of number: Int32) -> DispatchStateMachine.ShardPhase? { machine.shards[ShardID(number)]?.phase }

    func holder(of number: Int32) -> WorkerID? {
        guard case .leased(let holding)? = phase(of: number) else { return nil }
        return holding.worker
    }
}
