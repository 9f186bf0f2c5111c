import Report
import Sharding

/// The workers that have said HELLO: where each is reached, and which process it is.
///
/// It decides nothing and sends nothing. A worker that says HELLO asks to join; it joins once it can work.
struct PeerDirectory {
    struct Peer: Equatable {
        var address: [UInt8]
        /// When it said HELLO last: one that never gets ready may be gone.
        var greetedAt: Duration
        /// A process that this one has spawned, whose end it sees.
        var isLocal: Bool
        /// Which process it is, once it has joined.
        var process: ProcessName?
    }

    private var peers: [WorkerID: Peer] = [:]

    // MARK: - Events

    /// The worker said HELLO, for the first time or again.
    mutating func greeted(_ worker: WorkerID, at address: [UInt8], isLocal: Bool, now: Duration) {
        var peer = peers[worker] ?? Peer(address: address, greetedAt: now, isLocal: isLocal)
        peer.address = address
        peer.greetedAt = now
        peer.isLocal = peer.isLocal || isLocal
        peers[worker] = peer
    }

    /// The worker can work.
    mutating func joined(_ worker: WorkerID, as process: ProcessName) { peers[worker]?.process = process }

    /// The worker was heard, by now perhaps at another address.
    /// - Returns: false where it is not known.
    mutating func heard(_ worker: WorkerID, at address: [UInt8]) -> Bool {
        guard peers[worker] != nil else { return false }
        peers[worker]?.address = address
        return true
    }

    mutating func left(_ worker: WorkerID) { peers[worker] = nil }

    /// Time passed: those that asked to join, never did, and are not heard of for longer than `limit`, are forgotten.
    /// - Returns: them, in the order of their ids.
    mutating func timePassed(_ limit: Duration, now: Duration) -> [WorkerID] {
        let silent = peers.filter { $0.value.process == nil && now - $0.value.greetedAt > limit }.keys.sorted()
        for worker in silent { peers[worker] = nil }
        return silent
    }

    // MARK: - Queries

    var isEmpty: Bool { peers.isEmpty }
    var addresses: [[UInt8]] { peers.values.map(\.address) }

    subscript(worker: WorkerID) -> Peer? { peers[worker] }

    /// The worker that is a process of this one.
    func local(pid: Int32) -> WorkerID? {
        peers.first { $0.value.isLocal && $0.value.process?.pid == pid }?.key
    }

    /// Whether a worker that no process of this one is may still be there at the end of the run: it works, or asked to join
    /// less than `limit` before it.
    func hasForeign(within limit: Duration, of end: Duration) -> Bool {
        peers.values.contains { !$0.isLocal && ($0.process != nil || end - $0.greetedAt < limit) }
    }
}
