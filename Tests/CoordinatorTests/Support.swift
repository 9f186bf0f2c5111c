import Dispatching
import LedgerQueueing
import Report
import Sharding
import Testing
import Wire

@testable import Coordinator

// Messages take UUIDs alone.
let alice = WorkerID("00000000-0000-0000-0000-00000000000a")
let bob = WorkerID("00000000-0000-0000-0000-00000000000b")

func lease(_ shard: Int32, _ epoch: Int64 = 1) -> Lease { Lease(shard: ShardID(shard), epoch: Epoch(epoch)) }

func record(_ shard: Int32, _ state: ShardState = .pending, epoch: Int64 = 0, owner: WorkerID? = nil) -> ShardRecord {
    ShardRecord(id: ShardID(shard), state: state, epoch: Epoch(epoch), owner: owner)
}

/// What came from a worker that has joined from this or another host.
func event(_ kind: LinkEvent.Kind, of worker: WorkerID = alice, isLocal: Bool = false) -> LinkEvent {
    LinkEvent(worker: worker, process: ProcessName(host: "north", pid: 7), isLocal: isLocal, kind: kind)
}

let joined = LinkEvent.Kind.joined(ProcessName(host: "north", pid: 7), credit: 1)

struct Fault: Error, CustomStringConvertible {
    var description: String
}

func failure(_ kind: LedgerFailure.Kind, _ text: String = "it failed") -> LedgerFailure {
    LedgerFailure(kind, Fault(description: text))
}

extension LeaderAction {
    /// Whether a test is about it: not what is only said.
    var isDeed: Bool {
        switch self {
        case .announce, .log: false
        default: true
        }
    }
}

extension [LeaderAction] {
    var deeds: [LeaderAction] { filter(\.isDeed) }
}
