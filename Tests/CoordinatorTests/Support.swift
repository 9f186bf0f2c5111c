import Dispatching
import LedgerQueueing
import Report
import Sharding
import Testing
import Wire

@testable import Coordinator

// Messages accept only UUIDs.
let alice = WorkerID("00000000-0000-0000-0000-00000000000a")
let bob = WorkerID("00000000-0000-0000-0000-00000000000b")

func lease(_ shard: Int32, _ epoch: Int64 = 1) -> Lease { Lease(shard: ShardID(shard), epoch: Epoch(epoch)) }

func record(_ shard: Int32, _ state: ShardState = .pending, epoch: Int64 = 0, owner: WorkerID? = nil) -> ShardRecord {
    ShardRecord(id: ShardID(shard), state: state, epoch: Epoch(epoch), owner: owner)
}

/// An event of a worker that has joined, from this host or from another.
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
    /// Whether the action does something, and is not only a message for people.
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
